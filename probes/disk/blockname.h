/* What the kernel's name of a block device, and its place in sysfs, tell about it. Pure. */
#ifndef TENKEN_PROBES_DISK_BLOCKNAME_H
#define TENKEN_PROBES_DISK_BLOCKNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "probes/disk/bag.h"

/* True if the data leave this machine: nbd, rbd, drbd, iSCSI, Fibre Channel, NVMe over fabrics.
 * link: text of the symbolic link /sys/class/block/NAME. */
bool block_is_remote(const struct bag *b, const char *name, const char *link);
/* False for kinds that are never read: memory (ram, zram), floppies, optical drives. */
bool block_is_storage(const char *name);
/* True if the device is a partition: the name of the disk that it is part of goes to out. */
bool block_parent(const struct bag *b, const char *link, char *out, size_t out_n);
/* sysfs path of the IDENTIFY DEVICE words of the SATA drive behind that link. False if it is none.
 */
bool block_ata_path(const char *link, char *out, size_t out_n);
/* True if the device stands on hardware (or a hypervisor's): not under /sys/devices/virtual. */
bool block_is_hardware(const char *link);
/* Numbers of a device from its sysfs leaf "MAJOR:MINOR\n". False, with nothing set, if it is none.
 */
bool block_numbers(const char *dev, unsigned *ret_major, unsigned *ret_minor);
/* Security word of IDENTIFY DEVICE: true if a password is set, so that the drive locks itself. */
bool ata_is_armed(const char *identify_text);

#endif
