#!/bin/bash
# Runs inside the lab machine (lab_disk.sh sends it there). Disks: vdb 3G, vdc 1G, vdd 512M, vde 256M.
# Each case builds something, asks the probe, compares, and takes it down again.
set -u
cd /lab/in
fails=0
key=/root/k
head -c 64 /dev/zero | tr '\0' 'k' >$key
fast="--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --batch-mode --key-file $key"

quiet() { "$@" >/tmp/cmd.log 2>&1 || { echo "  setup: $*: $(tail -n 2 /tmp/cmd.log)"; return 1; }; }
probe() { ./tool_probe_dump disk "$@" >/tmp/p.json 2>/tmp/p.err || cat /tmp/p.err; }
# row MOUNT ROLE -> "encrypted method leaves reason-word"
row() {
    jq -r --arg m "$1" --arg r "$2" '.mount_encryption.rows[]|select(.mount==$m and .role==$r)|
        "\(.encrypted) \(.method) \(.leaves|fromjson|map(ltrimstr("/dev/"))|join(",")) \(.reason|sub(":.*";""))"' /tmp/p.json
}
want() { # MOUNT ROLE EXPECTED WHY
    got=$(row "$1" "$2")
    if [ "$got" = "$3" ]; then echo "ok   $case: $4"; else
        echo "FAIL $case: $4: wanted [$3], got [$got]"; fails=$((fails + 1)); fi
}
json() { # JQ-EXPRESSION WHY
    if jq -e "$1" /tmp/p.json >/dev/null; then echo "ok   $case: $2"; else
        echo "FAIL $case: $2: $1"; fails=$((fails + 1)); fi
}
down() {
    for m in $(findmnt -rno TARGET | grep '^/mnt/' | sort -r); do umount "$m" 2>/dev/null; done
    swapoff -a; for i in 1 2 3; do
        for v in $(lvs --noheadings -o vg_name 2>/dev/null | sort -u); do lvchange -qq -an "$v" 2>/dev/null; done
        for n in $(dmsetup ls 2>/dev/null | awk '/^[a-z]/{print $1}' | grep -v '^No$'); do
            cryptsetup close "$n" 2>/dev/null || dmsetup remove "$n" 2>/dev/null; done
        for m in /dev/md[0-9]*; do [ -b "$m" ] && mdadm -q --stop "$m" 2>/dev/null; done
        losetup -D 2>/dev/null
    done
    for d in b c d e; do wipefs -qa /dev/vd$d 2>/dev/null; dd if=/dev/zero of=/dev/vd$d bs=1M count=20 status=none; done
    rm -rf /srv/t/* /etc/lvm/backup/* /root/hdr; mkdir -p /mnt/a /mnt/b /mnt/c; udevadm settle
}
luks() { # DEVICE NAME [OPTIONS]
    quiet cryptsetup luksFormat $fast ${3:-} "$1" && quiet cryptsetup open --key-file $key "$1" "$2"
}

c_lvm_on_luks() {
    luks /dev/vdc p1; luks /dev/vdd p2
    quiet vgcreate -y city /dev/mapper/p1 /dev/mapper/p2; quiet lvcreate -y -l 100%FREE -n data city
    quiet mkfs.ext4 -q /dev/city/data; mount /dev/city/data /mnt/a
    probe data_paths=/mnt/a
    want /mnt/a data "1 luks2 vdc,vdd " "LV over two LUKS volumes"
    want /mnt/a other "1 luks2 vdc,vdd " "the mount keeps its own role, too"
    # what lsblk sees from above: every path down from the LV passes a crypt device
    [ "$(lsblk -srno TYPE /dev/city/data | grep -c crypt)" = 2 ] && echo "ok   $case: lsblk agrees: 2 crypt below"
    json '.device_stack.rows|map(select(.layer=="linear"))|length==2' "two linear steps"
    quiet vgextend -y city /dev/vde; quiet lvextend -y -l +100%FREE city/data
    probe data_paths=/mnt/a
    want /mnt/a data "0 mixed vdc,vdd,vde not-visible-here" "S10: grown onto a plain disk"
    json '.mount_encryption.rows[]|select(.mount=="/mnt/a" and .role=="data")|.reason=="not-visible-here: /dev/vde"' "names the plain leaf"
}
c_luks_on_lvm() {
    quiet vgcreate -y city /dev/vdc /dev/vdd; quiet lvcreate -y -l 100%FREE -n enc city
    luks /dev/city/enc inner; quiet mkfs.ext4 -q /dev/mapper/inner; mount /dev/mapper/inner /mnt/a
    probe data_paths=/mnt/a
    want /mnt/a data "1 luks2 vdc,vdd " "LUKS on an LV on plain disks"
}
c_two_pv_precise() {
    luks /dev/vdc p1; quiet vgcreate -y city /dev/mapper/p1 /dev/vdd
    quiet lvcreate -y -L 200M -n safe city /dev/mapper/p1; quiet lvcreate -y -L 200M -n bare city /dev/vdd
    for n in safe bare; do quiet mkfs.ext4 -q /dev/city/$n; done
    mount /dev/city/safe /mnt/a; mount /dev/city/bare /mnt/b; probe
    want /mnt/a other "1 luks2 vdc " "same VG, LV only on the LUKS volume"
    want /mnt/b other "0 none vdd not-visible-here" "same VG, LV only on the plain one"
}
c_raid1_plain_leg() {
    luks /dev/vdd leg; quiet mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 /dev/mapper/leg /dev/vde
    quiet mkfs.ext4 -q /dev/md0; mount /dev/md0 /mnt/a; probe
    want /mnt/a other "0 mixed vdd,vde not-visible-here" "RAID1 with a plain leg"
}
c_luks_on_raid() {
    quiet mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 /dev/vdd /dev/vde
    luks /dev/md0 top; quiet mkfs.ext4 -q /dev/mapper/top; mount /dev/mapper/top /mnt/a; probe
    want /mnt/a other "1 luks2 vdd,vde " "LUKS on RAID1"
    json '.luks_headers.rows|map(.device)|index("/dev/md0")!=null' "header found on md0"
}
c_raid_partitions() {
    quiet mdadm --create /dev/md0 --run --level=0 --raid-devices=2 --metadata=1.2 /dev/vdd /dev/vde
    printf 'label: gpt\n,100M\n,\n' | sfdisk -q /dev/md0 >/dev/null 2>&1; udevadm settle
    luks /dev/md0p1 top; quiet mkfs.ext4 -q /dev/mapper/top; quiet mkfs.ext4 -q /dev/md0p2
    mount /dev/mapper/top /mnt/a; mount /dev/md0p2 /mnt/b; probe
    want /mnt/a other "1 luks2 vdd,vde " "LUKS on a partition of an array"
    want /mnt/b other "0 none vdd,vde not-visible-here" "plain partition of the same array"
}
c_cipher_null() {
    size=$(blockdev --getsz /dev/vde)
    dmsetup create nul --table "0 $size crypt cipher_null-ecb - 0 /dev/vde 0" || dmsetup create nul --table "0 $size crypt cipher_null-ecb 00 0 /dev/vde 0"
    dmsetup create nul2 --uuid CRYPT-LUKS2-0123456789abcdef0123456789abcdef-nul2 --table "0 100000 crypt capi:ecb(cipher_null)-plain64 - 0 /dev/vdd 0" 2>/dev/null
    quiet mkfs.ext4 -q /dev/mapper/nul; mount /dev/mapper/nul /mnt/a
    [ -b /dev/mapper/nul2 ] && { quiet mkfs.ext4 -q /dev/mapper/nul2; mount /dev/mapper/nul2 /mnt/b; }; probe
    want /mnt/a other "0 plain vde cipher-null" "cipher_null"
    [ -b /dev/mapper/nul2 ] && want /mnt/b other "0 luks2 vdd cipher-null" "cipher_null in capi: form, under a LUKS uuid"
}
c_fake_uuid() {
    size=$(blockdev --getsz /dev/vde)
    dmsetup create fake --uuid CRYPT-LUKS2-0123456789abcdef0123456789abcdef-fake --table "0 $size linear /dev/vde 0"
    dmsetup create bare --uuid LVM-0123456789abcdef0123456789abcdef --table "0 200000 crypt aes-xts-plain64 $(printf '%0128d' 0 | tr 0 a) 0 /dev/vdd 0"
    quiet mkfs.ext4 -q /dev/mapper/fake; quiet mkfs.ext4 -q /dev/mapper/bare
    mount /dev/mapper/fake /mnt/a; mount /dev/mapper/bare /mnt/b; probe
    cryptsetup status fake | head -n 2 | tr '\n' ' '; echo
    want /mnt/a other "0 none vde not-visible-here" "CRYPT- uuid over a linear target"
    want /mnt/b other "1 plain vdd " "crypt target without a CRYPT- uuid"
    grep -q aaaaaaaa /tmp/p.json && { echo "FAIL $case: key material in a row"; fails=$((fails + 1)); } || echo "ok   $case: no key material"
}
c_integrity() {
    quiet integritysetup format -q /dev/vde; quiet integritysetup open /dev/vde integ
    quiet mkfs.ext4 -q /dev/mapper/integ; mount /dev/mapper/integ /mnt/a
    quiet cryptsetup luksFormat $fast --integrity hmac-sha256 --integrity-no-wipe /dev/vdd && quiet cryptsetup open --key-file $key /dev/vdd authd
    dd if=/dev/zero of=/dev/mapper/authd bs=1M status=none 2>/dev/null; quiet mkfs.ext4 -q /dev/mapper/authd; mount /dev/mapper/authd /mnt/b; probe
    dmsetup info -c --noheadings -o name,uuid | head -n 4 | tr '\n' ' '; echo
    want /mnt/a other "0 none vde not-visible-here" "dm-integrity alone is no secrecy"
    want /mnt/b other "1 luks2 vdd " "LUKS2 with authenticated encryption"
    sum=$(dmsetup table --showkeys | awk '$4=="crypt"{print $6}' | cut -c1-24)
    [ -n "$sum" ] && { grep -q "$sum" /tmp/p.json && { echo "FAIL $case: key in a row"; fails=$((fails + 1)); } || echo "ok   $case: no key in a row"; }
}
c_plain() {
    quiet cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --key-file $key /dev/vde pl
    quiet mkfs.ext4 -q /dev/mapper/pl; mount /dev/mapper/pl /mnt/a; probe
    want /mnt/a other "1 plain vde " "plain dm-crypt"
    json '.luks_headers.state=="complete" and ([.luks_headers.rows[]|select(.device=="/dev/vde")]|length==0)' "and no header"
}
c_detached() {
    : >/root/hdr; truncate -s 16M /root/hdr
    quiet cryptsetup luksFormat $fast --header /root/hdr /dev/vde; quiet cryptsetup open --key-file $key --header /root/hdr /dev/vde det
    quiet mkfs.ext4 -q /dev/mapper/det; mount /dev/mapper/det /mnt/a; probe
    want /mnt/a other "1 luks2 vde " "detached header"
    json '[.luks_headers.rows[]|select(.device=="/dev/vde")]|length==0' "blkid shows no LUKS, nor do we"
}
c_secondary_header() {
    luks /dev/vde sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a
    dd if=/dev/urandom of=/dev/vde bs=512 count=1 conv=notrunc status=none; sync; echo 3 >/proc/sys/vm/drop_caches; probe
    want /mnt/a other "1 luks2 vde " "primary header overwritten"
    json '[.luks_headers.rows[]|select(.device=="/dev/vde")]|length==1' "slots read from the secondary header"
    dd if=/dev/urandom of=/dev/vde bs=512 count=1 seek=32 conv=notrunc status=none; printf 'LUKS\xba\xbe\0\002' | dd of=/dev/vde conv=notrunc status=none; sync; echo 3 >/proc/sys/vm/drop_caches; probe
    json '.luks_headers.state=="malformed"' "both lost: malformed, not empty and complete"
}
c_decrypting() {
    truncate -s 16M /root/hdr
    quiet cryptsetup luksFormat $fast --header /root/hdr /dev/vdc; quiet cryptsetup open --key-file $key --header /root/hdr /dev/vdc dec
    quiet mkfs.ext4 -q /dev/mapper/dec; mount /dev/mapper/dec /mnt/a
    cryptsetup reencrypt --decrypt --batch-mode --key-file $key --header /root/hdr --resilience checksum --hotzone-size 4M --active-name dec /dev/vdc >/tmp/re.log 2>&1 &
    for i in $(seq 200); do dmsetup table | grep -q "^dec.*linear" && break; sleep 0.2; done; kill -STOP $!
    dmsetup table | grep dec | sed 's/ [0-9a-f]\{64,\} / KEY /'; grep -H . /sys/block/dm-*/dm/suspended; probe
    got=$(row /mnt/a other); case "$got" in 1*) echo "FAIL $case: decryption under way, detached header: $got"; fails=$((fails + 1)) ;; *) echo "ok   $case: decryption under way, detached header: $got" ;; esac
    kill -KILL $!; wait
}
c_decrypting_moved() {
    luks /dev/vde dec; quiet mkfs.ext4 -q /dev/mapper/dec; mount /dev/mapper/dec /mnt/a
    quiet cryptsetup reencrypt --decrypt --init-only --batch-mode --key-file $key --header /root/hdr2 --active-name dec /dev/vde; probe
    dmsetup table | grep dec | sed 's/ [0-9a-f]\{64,\} / KEY /'
    want /mnt/a other "null null vde converting" "decryption begun, the header moved to a file"
    rm -f /root/hdr2
}
c_reencrypting() {
    luks /dev/vde re; quiet mkfs.ext4 -q /dev/mapper/re; mount /dev/mapper/re /mnt/a
    quiet cryptsetup reencrypt --init-only $fast --active-name re /dev/vde; probe; want /mnt/a other "1 luks2 vde " "from one key to another: secret all the time"
}
c_encrypting() {
    quiet mkfs.ext4 -q /dev/vde 200M
    quiet cryptsetup reencrypt --encrypt --type luks2 --init-only --reduce-device-size 32M $fast /dev/vde enc
    mount /dev/mapper/enc /mnt/a; probe; dmsetup table | head -n 4
    want /mnt/a other "0 none vde encrypting" "encryption begun, nothing converted yet"
}
c_btrfs() {
    luks /dev/vdd one; quiet mkfs.btrfs -q -f -d single -m single /dev/mapper/one /dev/vde; mount /dev/mapper/one /mnt/a; probe
    want /mnt/a other "0 mixed vdd,vde not-visible-here" "btrfs over LUKS and a plain disk"
    btrfs subvolume create /mnt/a/sub >/dev/null; mkdir -p /srv/t/bind; mount --bind /mnt/a/sub /srv/t/bind; probe data_paths=/srv/t/bind/x data_paths=/srv/t/bind
    want /srv/t/bind data "0 mixed vdd,vde not-visible-here" "subvolume bound elsewhere"
    want /srv/t/bind/x data "null null  unresolved" "a path that does not exist keeps its row"
    umount /srv/t/bind /mnt/a; luks /dev/vde two; wipefs -qa /dev/mapper/two; quiet mkfs.btrfs -q -f /dev/mapper/one /dev/mapper/two; mount /dev/mapper/two /mnt/a; probe
    want /mnt/a other "1 luks2 vdd,vde " "btrfs over two LUKS volumes"
}
c_fscrypt() {
    quiet mkfs.ext4 -q -O encrypt /dev/vde; mount /dev/vde /mnt/a; mkdir /mnt/a/enc /mnt/a/bare
    head -c 32 /dev/urandom >/root/rawkey; [ -e /etc/fscrypt.conf ] || quiet fscrypt setup --quiet --force
    quiet fscrypt setup --quiet /mnt/a; quiet fscrypt encrypt /mnt/a/enc --quiet --source=raw_key --name=k --key=/root/rawkey
    mkdir /mnt/a/enc/sub; probe data_paths=/mnt/a/enc data_paths=/mnt/a/enc/sub data_paths=/mnt/a/bare
    want /mnt/a/enc data "1 fscrypt vde " "fscrypt directory"
    want /mnt/a/enc/sub data "1 fscrypt vde " "below it"
    want /mnt/a/bare data "0 none vde not-visible-here" "beside it"
    json '.mount_encryption.rows[]|select(.mount=="/mnt/a/enc")|.cipher=="aes-256-xts" and .key_bits==512' "cipher of the policy"
}
c_ecryptfs() {
    modprobe ecryptfs 2>/dev/null || { echo "skip $case: no module"; return; }
    mkdir -p /srv/t/low /srv/t/up
    yes '' | mount -t ecryptfs -o key=passphrase:passphrase_passwd=xyz,ecryptfs_cipher=aes,ecryptfs_key_bytes=32,ecryptfs_passthrough=n,ecryptfs_enable_filename_crypto=n,no_sig_cache /srv/t/low /srv/t/up >/tmp/cmd.log 2>&1 || { echo "skip $case: $(tail -n 1 /tmp/cmd.log)"; return; }
    grep ecryptfs /proc/1/mountinfo; probe data_paths=/srv/t/up
    want /srv/t/up data "1 ecryptfs vda " "ecryptfs over a plain disk"
    umount /srv/t/up
}
c_loop() {
    luks /dev/vdc sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a
    for f in /mnt/a/img /srv/t/img; do truncate -s 60M $f; quiet mkfs.ext4 -q $f; done
    mount -o loop /mnt/a/img /mnt/b; mount -o loop /srv/t/img /mnt/c; probe
    want /mnt/b other "1 luks2 vdc " "loop file on an encrypted file system"
    want /mnt/c other "0 none vda not-visible-here" "loop file on a plain one"
    mv /srv/t/img /srv/t/img2; probe; want /mnt/c other "0 none vda not-visible-here" "renamed: sysfs follows"
    mv /srv/t/img2 /srv/t/img; rm /srv/t/img; probe
    want /mnt/c other "null null  backing-file" "backing file deleted"
    umount /mnt/c; losetup -d /dev/loop1 2>/dev/null
    # a plain file, then an encrypted file system with a file of that name mounted over its directory
    mkdir -p /srv/t/d; truncate -s 60M /srv/t/d/img; quiet mkfs.ext4 -q /srv/t/d/img; mount -o loop /srv/t/d/img /mnt/c
    mkdir /mnt/a/d; truncate -s 60M /mnt/a/d/img; mount --bind /mnt/a/d /srv/t/d; probe
    want /mnt/c other "null null  backing-file" "covered by an encrypted look-alike"
    umount /srv/t/d /mnt/c
}
c_decoy() {
    truncate -s 40M /srv/t/decoy; l=$(losetup -f --show /srv/t/decoy); luks "$l" decoy
    quiet mkfs.ext4 -q /dev/vde; mount /dev/vde /mnt/a; probe data_paths=/mnt/a
    want /mnt/a data "0 none vde not-visible-here" "an active LUKS loop device elsewhere proves nothing"
}
c_luks_in_luks() {
    luks /dev/vdc o; luks /dev/mapper/o i "--type luks1"; quiet mkfs.ext4 -q /dev/mapper/i; mount /dev/mapper/i /mnt/a; probe
    want /mnt/a other "1 luks1 vdc " "the uppermost layer names the method"
}
c_thin() {
    luks /dev/vdc sec; quiet vgcreate -y city /dev/mapper/sec /dev/vdd
    quiet lvcreate -y -L 400M -n pool city /dev/mapper/sec; quiet lvcreate -y -L 40M -n meta city /dev/vdd
    quiet lvconvert -y --type thin-pool --poolmetadata city/meta city/pool || return
    quiet lvcreate -y -V 200M -T city/pool -n t; quiet mkfs.ext4 -q /dev/city/t; mount /dev/city/t /mnt/a; probe
    want /mnt/a other "0 mixed vdc,vdd not-visible-here" "thin pool whose metadata are in the clear"
}
c_cache() {
    luks /dev/vdc sec; quiet vgcreate -y city /dev/mapper/sec /dev/vdd
    quiet lvcreate -y -L 400M -n slow city /dev/mapper/sec; quiet lvcreate -y -L 100M -n fast city /dev/vdd
    quiet lvconvert -y --type cache --cachevol city/fast city/slow || return
    quiet mkfs.ext4 -q /dev/city/slow; mount /dev/city/slow /mnt/a; probe
    want /mnt/a other "0 mixed vdc,vdd not-visible-here" "encrypted volume with a plain cache"
    umount /mnt/a; quiet lvconvert -y --uncache city/slow; quiet lvcreate -y -s -L 60M -n snap city/slow /dev/vdd; mount /dev/city/slow /mnt/a; probe
    want /mnt/a other "0 mixed vdc,vdd not-visible-here" "snapshot area in the clear"
}
c_swap() {
    quiet mkswap /dev/vde; swapon /dev/vde; dd if=/dev/zero of=/srv/t/swap bs=1M count=20 status=none; chmod 600 /srv/t/swap; quiet mkswap /srv/t/swap; swapon /srv/t/swap
    luks /dev/vdc sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a; dd if=/dev/zero of=/mnt/a/swap bs=1M count=20 status=none; chmod 600 /mnt/a/swap; quiet mkswap /mnt/a/swap; swapon /mnt/a/swap; probe
    want /dev/vde swap "0 none vde not-visible-here" "plain swap partition"
    want /srv/t/swap swap "0 none vda not-visible-here" "swap file on a plain file system"
    want /mnt/a/swap swap "1 luks2 vdc " "swap file on an encrypted one"
    want /dev/shm other "0 mixed vda,vdc,vde not-visible-here" "tmpfs answers for all swap"
    swapoff /dev/vde /srv/t/swap; probe; want /dev/shm other "1 luks2 vdc " "only encrypted swap left"
    swapoff -a; probe; want /dev/shm other "1 none  ram" "no swap left"
}
c_zram() {
    modprobe zram 2>/dev/null || { echo "skip $case: no zram"; return; }
    echo 64M >/sys/block/zram0/disksize; quiet mkswap /dev/zram0; swapon /dev/zram0; probe
    want /dev/zram0 swap "1 none  ram" "zram without write-back"
    want /dev/shm other "1 none  ram" "tmpfs over it"
    swapoff /dev/zram0; echo 1 >/sys/block/zram0/reset
    if echo /dev/vde >/sys/block/zram0/backing_dev 2>/dev/null; then
        echo 64M >/sys/block/zram0/disksize; quiet mkswap /dev/zram0; swapon /dev/zram0; probe
        want /dev/zram0 swap "0 none vde not-visible-here" "zram writing back to a plain disk"
        swapoff /dev/zram0; echo 1 >/sys/block/zram0/reset
    else echo "skip $case: kernel without write-back"; fi
}
c_overlay() {
    luks /dev/vdc sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a
    mkdir -p /mnt/a/low /mnt/a/up /mnt/a/w /srv/t/up /srv/t/w
    mount -t overlay overlay -o lowerdir=/mnt/a/low,upperdir=/srv/t/up,workdir=/srv/t/w /mnt/b
    mount -t overlay overlay -o lowerdir=/mnt/a/low,upperdir=/mnt/a/up,workdir=/mnt/a/w /mnt/c; probe
    want /mnt/b other "0 none vda not-visible-here" "overlay: lower encrypted, upper plain"
    want /mnt/c other "1 luks2 vdc " "overlay: upper encrypted"
}
c_paths() {
    luks /dev/vdc sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a; quiet mkfs.ext4 -q /dev/vde; mount /dev/vde /mnt/b
    mkdir -p /mnt/a/real /mnt/b/real; ln -sfn /mnt/b/real /mnt/a/link; ln -sfn ../../mnt/a/real /srv/t/rel; ln -sfn loop2 /srv/t/loop1; ln -sfn loop1 /srv/t/loop2
    probe data_paths=/mnt/a/link data_paths=/srv/t/rel data_paths=/srv/t/loop1 data_paths=/mnt/a/real/../../b
    want /mnt/a/link data "0 none vde not-visible-here" "link from an encrypted place to a plain one"
    want /srv/t/rel data "1 luks2 vdc " "relative link the other way"
    want /srv/t/loop1 data "null null  unresolved" "ring of links"
    want /mnt/a/real/../../b data "0 none vde not-visible-here" "dots"
    mount --bind /mnt/b/real /mnt/a/real; mount --bind /mnt/a /mnt/c; probe data_paths=/mnt/a data_paths=/mnt/c
    want /mnt/a data "0 mixed vdc,vde not-visible-here" "a plain disk mounted inside counts"
    want /mnt/c data "1 luks2 vdc " "a bind mount without what is mounted inside"
    umount /mnt/c; mount /dev/vde /mnt/a; probe data_paths=/mnt/a; want /mnt/a data "0 none vde not-visible-here" "covered: the upper mount counts"
    umount /mnt/a; mount -o remount,ro,bind /mnt/a; probe; want /mnt/a other "1 luks2 vdc " "read-only mount of a writable file system keeps its row"
    mount -o remount,rw,bind /mnt/a; umount /mnt/a/real; mount -o remount,ro /mnt/a; probe; want /mnt/a other "" "read-only file system has none"
}
c_automount() {
    cat >/run/systemd/system/srv-auto.mount <<U
[Mount]
What=/dev/vde
Where=/srv/auto
U
    printf '[Automount]\nWhere=/srv/auto\n' >/run/systemd/system/srv-auto.automount; quiet mkfs.ext4 -q /dev/vde
    systemctl daemon-reload; quiet systemctl start srv-auto.automount; probe data_paths=/srv/auto/x data_paths=/srv/auto
    want /srv/auto/x data "null null  autofs" "automount point is not triggered"
    [ "$(systemctl is-active srv-auto.mount)" = inactive ] && echo "ok   $case: still not mounted" || { echo "FAIL $case: the look mounted it"; fails=$((fails + 1)); }
    systemctl stop srv-auto.automount; rm /run/systemd/system/srv-auto.*; systemctl daemon-reload
}
c_dumps() {
    old=$(cat /proc/sys/kernel/core_pattern); mkdir -p /srv/t/cores
    echo '/srv/t/cores/core.%p' >/proc/sys/kernel/core_pattern; probe; want /srv/t/cores coredump "0 none vda not-visible-here" "absolute pattern"
    echo '|/lib/systemd/systemd-coredump %P' >/proc/sys/kernel/core_pattern; probe; want /var/lib/systemd/coredump coredump "0 none vda not-visible-here" "systemd-coredump, default storage"
    mkdir -p /etc/systemd/coredump.conf.d; printf '[Coredump]\nStorage=none\n' >/etc/systemd/coredump.conf.d/x.conf; probe
    json '[.mount_encryption.rows[]|select(.role=="coredump")]|length==0' "Storage=none by drop-in"
    rm -r /etc/systemd/coredump.conf.d; echo '|/opt/h %P' >/proc/sys/kernel/core_pattern; probe; want /opt/h coredump "null null  core-handler" "unknown handler"
    echo "$old" >/proc/sys/kernel/core_pattern; probe; want core coredump "0 none vda not-visible-here" "relative pattern, nothing encrypted anywhere"
    quiet mkswap /dev/vde; swapon /dev/vde; echo /dev/vde >/sys/power/resume 2>/dev/null || cat /sys/class/block/vde/dev >/sys/power/resume 2>/dev/null
    cat /sys/power/resume; probe; want /dev/vde hibernate "0 none vde not-visible-here" "hibernation target"
    echo 0:0 >/sys/power/resume 2>/dev/null; swapoff -a
}
c_namespaces() {
    unshare --mount --pid --fork --mount-proc ./tool_probe_dump disk data_paths=/srv >/tmp/p.json
    json '[.[]|.state]|all(.=="denied")' "own pid namespace: denied"
    want /srv data "null null  not_visible" "and the data path's row says so"
    mkdir -p /srv/t/ch; for d in lab lib lib64 usr proc sys dev; do mkdir -p /srv/t/ch/$d; mount --rbind /$d /srv/t/ch/$d; done
    chroot /srv/t/ch /lab/in/tool_probe_dump disk data_paths=/srv >/tmp/p.json; json '[.[]|.state]|all(.=="denied")' "chroot: denied"
    for d in lab lib lib64 usr proc sys dev; do umount -R -l /srv/t/ch/$d; done
    unshare --mount sh -c 'mount -t tmpfs none /sys && ./tool_probe_dump disk data_paths=/srv' >/tmp/p.json; json '[.[]|.state]|all(.=="denied")' "hidden /sys: denied"
}
c_plain_user() {
    luks /dev/vdc sec; quiet mkfs.ext4 -q /dev/mapper/sec; mount /dev/mapper/sec /mnt/a
    setpriv --reuid 65534 --regid 65534 --clear-groups ./tool_probe_dump disk data_paths=/mnt/a >/tmp/p.json
    json '.mount_encryption.state=="denied" and .luks_headers.state=="denied" and .device_stack.state=="denied"' "denied with a mapping present"
    want /mnt/a data "null null vdc denied" "not root: not known"
    umount /mnt/a; cryptsetup close sec
    setpriv --reuid 65534 --regid 65534 --clear-groups ./tool_probe_dump disk data_paths=/srv >/tmp/p.json
    json '.mount_encryption.state=="complete"' "no mapping at all: an ordinary user sees the whole graph"
}
c_dm_unloaded() { # nothing of ours may load a module or make a node
    down; rmmod dm_snapshot dm_cache_smq dm_cache dm_thin_pool dm_integrity dm_crypt 2>/dev/null; probe
    json '.mount_encryption.state=="complete"' "no mapping: complete"
}
c_capture() {
    [ -e capture.sh ] || return
    luks /dev/vdc p1; quiet vgcreate -y city /dev/mapper/p1; quiet lvcreate -y -l 100%FREE -n data city; quiet mkfs.ext4 -q /dev/city/data; mount /dev/city/data /mnt/a
    probe data_paths=/mnt/a; cp /tmp/p.json /tmp/live.json; rm -rf /lab/out/captured; sh ./capture.sh /lab/out/captured /mnt/a
    ./tool_probe_dump disk --root /lab/out/captured data_paths=/mnt/a >/tmp/p.json
    if diff <(jq -S . /tmp/live.json) <(jq -S . /tmp/p.json); then echo "ok   $case: the captured tree gives the same rows"; else echo "FAIL $case"; fails=$((fails + 1)); fi
}
c_confined() { # the same under the program's real confinement: loop device, fscrypt, mappings
    [ -e tenken ] || return
    mkdir -p /usr/local/share/tenken; cp -r policies /usr/local/share/tenken/; chown -R root:root /usr/local/share/tenken /lab/in
    luks /dev/vdc sec; quiet mkfs.ext4 -q -O encrypt /dev/mapper/sec; mount /dev/mapper/sec /mnt/a; mkdir /mnt/a/enc
    [ -e /etc/fscrypt.conf ] || quiet fscrypt setup --quiet --force
    head -c 32 /dev/urandom >/root/rawkey; quiet fscrypt setup --quiet /mnt/a; quiet fscrypt encrypt /mnt/a/enc --quiet --source=raw_key --name=k --key=/root/rawkey
    truncate -s 60M /mnt/a/img; quiet mkfs.ext4 -q /mnt/a/img; mount -o loop /mnt/a/img /mnt/b
    probe data_paths=/mnt/a/enc
    for t in mount_encryption luks_headers device_stack disk_encryption; do
        ./tenken query --site site.yaml --format json "SELECT * FROM $t" >/tmp/q.json 2>/tmp/q.err; r=$?
        # opening the data path itself is not permitted there: the cipher of its policy stays unknown
        if [ $r = 0 ] && diff <(jq -cS '.[]|if .method=="fscrypt" then del(.cipher,.key_bits) else . end' /tmp/q.json | sort) \
            <(jq -cS ".$t.rows[]|if .method==\"fscrypt\" then del(.cipher,.key_bits) else . end" /tmp/p.json | sort) >/tmp/q.diff; then
            echo "ok   $case: $t confined and not: the same rows"
        else echo "FAIL $case: $t exit $r: $(cat /tmp/q.err /tmp/q.diff | head -n 5)"; fails=$((fails + 1)); fi
    done
}

all=$(declare -F | awk '{print $3}' | grep '^c_' | sed 's/^c_//')
mkdir -p /srv/t
for case in ${*:-$all}; do down; c_$case; done
case=end; down
echo "failures: $fails"
[ "$fails" = 0 ]
