# Calls the Death Star about once a second, and the outpost every five; over one IP version only where IP_VERSION says so.
case "$IP_VERSION" in
  ipv4) family=--ipv4 ;;
  ipv6) family=--ipv6 ;;
  *) family= ;;
esac

call() { # URL SECONDS [OPTION]
  while :; do
    curl --silent --show-error --max-time 2 $3 "$1"
    sleep "$2"
  done
}

# A shell that is process 1 ends by a signal only if it says so.
trap 'exit 0' TERM INT
[ -z "$DEATH_STAR" ] || call "$DEATH_STAR" 1 "$family" &
[ -z "$OUTPOST" ] || call "$OUTPOST" 5 &
while :; do
  sleep 3600 &
  wait $!
done
