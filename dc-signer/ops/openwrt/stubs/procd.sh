# What of procd the init scripts call, for try.sh, and what it does then. Each instance becomes a folder of $PROCD/SERVICE with what it is
# started with, a word a line. $PROCD/did says what procd would do: 'start', 'restart', 'stop NAME', or 'signal NAME NUMBER'.
# shellcheck shell=sh

procd_open_service() {
	SERVICE=$PROCD/$1
	rm -rf "$SERVICE.new"
	mkdir -p "$SERVICE" "$SERVICE.new"
}

procd_open_instance() {
	NUMBER=$((${NUMBER:-0} + 1))
	INSTANCE=$SERVICE.new/${1:-instance$NUMBER}
	mkdir "$INSTANCE"
}

# What procd does not know it ignores.
procd_set_param() {
	local name=$1 file
	shift
	case $name in
		command | respawn | term_timeout | stderr | stdout | user | group | pidfile | env | limits) printf '%s\n' "$@" >"$INSTANCE/$name" ;;
		# By what is in the files, at this moment.
		file) for file in "$@"; do md5sum "$file"; done >"$INSTANCE/$name" ;;
		reload_signal) kill -l "$1" >"$INSTANCE/$name" ;;
	esac
}

procd_close_instance() {
	[ -s "$INSTANCE/command" ]
}

# A change of which configuration, by reload_config, runs the script with 'reload'.
procd_add_reload_trigger() {
	printf '%s\n' "$@" >"$PROCD/triggers"
}

# Whether an instance differs in what procd compares.
procd_changed() {
	local name
	for name in command file respawn user group pidfile env limits; do
		[ "$(cat "$SERVICE/$1/$name" 2>/dev/null)" = "$(cat "$SERVICE.new/$1/$name" 2>/dev/null)" ] || return 0
	done
	return 1
}

procd_close_service() {
	local name
	: >"$PROCD/did"
	for name in "$SERVICE.new"/*; do
		[ -e "$name" ] || continue
		name=${name##*/}
		if [ ! -e "$SERVICE/$name" ]; then
			echo "start $name"
		elif procd_changed "$name"; then
			# Whatever has changed, a process that has a signal for it gets that, and goes on.
			if [ -e "$SERVICE/$name/reload_signal" ]; then
				echo "signal $name $(cat "$SERVICE/$name/reload_signal")"
			else
				echo "restart $name"
			fi
		fi
	done >>"$PROCD/did"
	for name in "$SERVICE"/*; do
		[ ! -e "$name" ] || [ -e "$SERVICE.new/${name##*/}" ] || echo "stop ${name##*/}"
	done >>"$PROCD/did"
	rm -rf "$SERVICE"
	mv "$SERVICE.new" "$SERVICE"
}
