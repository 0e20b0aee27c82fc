-- doc Per way to record: would a newly plugged device of that kind work for an ordinary user now, and after the next boot?
-- doc blocked: it cannot be used now; persistent: nor after the next boot. absent: this machine has no way to use it. NULL: not known.
-- source modprobe.d(5); kernel Documentation/usb/authorization.rst; usbguard-rules.conf(5)
-- column path text KEY DECIDES values=usb-storage|uas|mtp|sd-card|optical|firewire|thunderbolt|bluetooth|usb-net|floppy way to record; mtp: phones and cameras (MTP, PTP)
-- column state text DECIDES NULLABLE values=blocked|open|absent what a newly plugged device would meet
-- column barrier text what blocks it; empty = nothing
-- column persistent integer DECIDES NULLABLE unit=boolean 1: it cannot be used after the next boot either
-- column reason text HAS_NAMES what was seen
--# USBGuard's daemon is told by the file it executes: any process can take its name.
CREATE VIEW media_paths AS
SELECT c.path, c.state, c.barrier, c.persistent, c.reason
FROM media_path_cases AS c
WHERE c.usbguard = EXISTS (SELECT 1 FROM process_executables AS p
                           WHERE p.exe IN ('/usr/sbin/usbguard-daemon', '/sbin/usbguard-daemon',
                                           '/usr/bin/usbguard-daemon',
                                           '/usr/local/sbin/usbguard-daemon'));
