-- doc Recording devices attached now. approved: one of the site's media is of that vendor, model and serial, and its dates hold today.
-- source kernel Documentation/ABI/testing/sysfs-block, sysfs-bus-usb
-- column device text KEY block device, or usb:PORT
-- column kind text DECIDES values=usb-disk|usb-device|sd-card|firewire|optical what it is
-- column vendor text as it names itself
-- column model text as it names itself
-- column serial text DECIDES empty = it tells none
-- column mount text HAS_NAMES where it or a part of it is mounted; empty = nowhere
-- column approved integer DECIDES unit=boolean 1: the site approved this very device, for today
--# A device that tells no serial number cannot be told from others of its model: never approved.
CREATE VIEW media_attached AS
SELECT d.device, d.kind, d.vendor, d.model, d.serial, d.mount,
       EXISTS (SELECT 1 FROM site_media AS m, scan AS s
               WHERE d.serial <> '' AND m.serial = d.serial
                 AND lower(m.vendor_id) = lower(d.vendor_id)
                 AND lower(m.model_id) = lower(d.model_id)
                 AND m.starts <= s.local_date AND (m.ends = 'none' OR m.ends >= s.local_date)) AS approved
FROM media_devices AS d;
