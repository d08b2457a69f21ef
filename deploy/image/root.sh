#!/bin/sh
# root.sh BINARY PROFILE TARGET ROOT: all that is in the image: the binary, the libraries it names, certificates, and for whoever looks for
# weaknesses which packages they came from. From the root of the clone.
set -eu
binary=$1 profile=$2 target=$3 root=$4
folder=$profile
[ "$folder" != dev ] || folder=debug
program=$target/$folder/$binary

mkdir -p "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/usr/share/doc/kpiline"
install -m 0555 "$program" "$root/kpiline"
# Names of functions stay, for what a panic says.
strip --strip-debug "$root/kpiline"
cp LICENSE-APACHE LICENSE-MIT "$root/usr/share/doc/kpiline/"

# The libraries, where the loader looks for them by itself.
ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | LC_ALL=C sort -u | while read -r library; do
    mkdir -p "$root$(dirname -- "$library")"
    cp -L "$library" "$root$library"
    # Debian's /lib is a link to /usr/lib, and dpkg knows the files by the name they were packed under.
    package=$(dpkg-query -S "$(readlink -f "$library")" 2>/dev/null || dpkg-query -S "$(readlink -f "$library" | sed 's#^/usr##')")
    package=${package%%: *}
    package=${package%%:*}
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
    mkdir -p "$root/usr/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
dpkg-query -s ca-certificates >"$root/var/lib/dpkg/status.d/ca-certificates"
# A name for the number, a way to look up names of hosts, and the release for scanners.
echo 'kpiline:x:65532:65532:kpiline:/:/nonexistent' >"$root/etc/passwd"
echo 'kpiline:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
cp -L /etc/os-release "$root/etc/os-release"

# Nobody but root could write, were it not read-only anyway.
find "$root" -type d -exec chmod 0755 {} +
find "$root" -type f ! -name kpiline -exec chmod 0644 {} +
find "$root" -name 'ld-linux*' -exec chmod 0755 {} +
find "$root" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
