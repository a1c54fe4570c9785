#!/bin/sh
# Draw all texts of the tokenizer goldens anew, run the Python reference over
# them, and compare package tokenizer with every row. The committed samples are
# written again too and must come out the same.
#
# Usage: PYTHON=path/to/python ./tokenizer_check.sh
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
all=$(mktemp -d)
trap 'rm -rf "$all"' EXIT
"$python" tokenizer.py --all "$all/texts.jsonl.gz"
"$python" tokenizer_ftfy.py --all "$all/ftfy.jsonl.gz"
"$python" tokenizer_hf.py --all "$all/hf"
"$python" tokenizer_units.py --all "$all/units.jsonl.gz"
git diff --exit-code --stat -- ../golden/tokenizer
cd ../../tokenizer
COCA_TOKENIZER_TEXTS="$all/texts.jsonl.gz" COCA_TOKENIZER_FTFY="$all/ftfy.jsonl.gz" COCA_TOKENIZER_HF="$all/hf" \
	COCA_TOKENIZER_UNITS="$all/units.jsonl.gz" \
	go test -count=1 -run 'Golden|All' -v .
