-- doc Mechanism by mechanism: is it set against USB storage, would it alone stop a newly plugged stick now, and after the next boot?
-- source modprobe.d(5); kernel Documentation/usb/authorization.rst; usbguard-daemon.conf(5)
-- column mechanism text KEY DECIDES values=module-blacklist|module-install|module-absent|cmdline|modules-disabled|authorized-default|usbguard|udev|polkit what could stop it
-- column configured integer DECIDES NULLABLE unit=boolean it is set
-- column effective integer DECIDES NULLABLE unit=boolean 1: it alone stops a newly plugged stick now
-- column persistent integer DECIDES NULLABLE unit=boolean 1: it alone will after the next boot
-- column source text HAS_NAMES where it is set
-- column detail text HAS_NAMES what was seen
CREATE VIEW usb_storage_policy AS
SELECT c.mechanism, c.configured, c.effective, c.persistent, c.source, c.detail
FROM usb_policy_cases AS c
WHERE c.usbguard = EXISTS (SELECT 1 FROM process_executables AS p
                           WHERE p.exe IN ('/usr/sbin/usbguard-daemon', '/sbin/usbguard-daemon',
                                           '/usr/bin/usbguard-daemon',
                                           '/usr/local/sbin/usbguard-daemon'));
