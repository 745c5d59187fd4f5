#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything `make test` stands for: each step under a heading, the output also in build/logs/STEP.log, a summary at the
# end. A failed step does not keep the others from running. Usage: run-all.sh [STEP...]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(lint unit sanity hosts molecule)
mkdir -p build/logs
rm -f build/logs/*.result

# Makes one step; leaves its output in build/logs/STEP.log, and its verdict and seconds in build/logs/STEP.result.
run() {
    local start=$SECONDS verdict=ok
    make "$1" </dev/null 2>&1 | tee "build/logs/$1.log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || verdict=FAILED
    echo "$verdict $((SECONDS - start))" >"build/logs/$1.result"
}

summary=()
status=0
began=$SECONDS
# The images of the hosts are built while the first steps run; who needs one waits for it, and says what went wrong.
images=
case " ${steps[*]} " in
    *" hosts "* | *" molecule "*)
        tests/lab/lab images </dev/null >build/logs/images.log 2>&1 &
        images=$!
        ;;
esac
# Sanity keeps one processor busy, lint another one, and sanity takes longer: the unit tests do not wait for its end, which
# is waited for where it is its turn.
sanity=
case " ${steps[*]} " in
    *" lint "*" sanity "*)
        run sanity >/dev/null &
        sanity=$!
        ;;
esac
for step in "${steps[@]}"; do
    printf '\n==== %s ====\n' "$step"
    if [ "$step" = sanity ] && [ -n "$sanity" ]; then
        wait "$sanity" || true
        cat build/logs/sanity.log
    else
        run "$step"
    fi
    read -r verdict seconds <"build/logs/$step.result" || verdict=FAILED
    [ "$verdict" = ok ] || status=1
    # the last line of pytest says how many tests ran
    counts=$(grep -aE '^=* ?[0-9]+ (passed|failed|error)' "build/logs/$step.log" | tail -n1 | tr -d '=' || true)
    summary+=("$(printf '  %-7s %-9s %4d s  %s' "$verdict" "$step" "$seconds" "$counts")")
    # figures that tests tell beside that, each as one line
    for figure in 'kill points:' 'bad inputs:'; do
        told=$(grep -a "^$figure" "build/logs/$step.log" | tail -n1 || true)
        [ -z "$told" ] || summary+=("          $told")
    done
done

[ -z "$images" ] || wait "$images" || true

printf '\n==== summary ====\n'
printf '%s\n' "${summary[@]}"
printf '  total %d s\n' $((SECONDS - began))
[ $status -eq 0 ] || echo "  the output of each step is in build/logs/"
exit $status
