#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything `make test` stands for: each step under a heading, the output also in build/logs/STEP.log, a summary at the
# end. A failed step does not keep the others from running. Usage: run-all.sh [STEP...]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(lint sanity unit hosts molecule)
mkdir -p build/logs

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
for step in "${steps[@]}"; do
    printf '\n==== %s ====\n' "$step"
    start=$SECONDS
    make "$step" </dev/null 2>&1 | tee "build/logs/$step.log"
    if [ "${PIPESTATUS[0]}" -eq 0 ]; then
        verdict=ok
    else
        verdict=FAILED
        status=1
    fi
    # the last line of pytest says how many tests ran
    counts=$(grep -aE '^=* ?[0-9]+ (passed|failed|error)' "build/logs/$step.log" | tail -n1 | tr -d '=' || true)
    summary+=("$(printf '  %-7s %-9s %4d s  %s' "$verdict" "$step" $((SECONDS - start)) "$counts")")
done

[ -z "$images" ] || wait "$images" || true

printf '\n==== summary ====\n'
printf '%s\n' "${summary[@]}"
printf '  total %d s\n' $((SECONDS - began))
[ $status -eq 0 ] || echo "  the output of each step is in build/logs/"
exit $status
