# Sourced by train_parity.sh and train_interchange.sh.
#
# PYTHON is a Python with requirements.txt and train_requirements.txt; COCA is the coca command, built if it is not set.
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1
if [ -z "${COCA:-}" ]; then
	(cd ../.. && go build -o "$work/coca" ./cmd/coca)
	COCA=$work/coca
fi
data=$work/data
"$python" train_data.py "$data"
failed=0

# Both sides see the whole set as one batch in each epoch, uncropped: the order within a batch is all that differs.
common="--train-data $data/pairs.csv --dataset-type csv --precision fp32 --log-every-n-steps 1 --seed 1"

# plan NAME FLAGS…: open_clip_train is to run, its losses are to be in NAME.jsonl
plan() {
	name=$1
	shift
	echo "$work/$name.jsonl --model coca_parity_ViT $common --workers 0 --device cpu --aug-cfg 'scale=(1.0, 1.0)' --logs $work/openclip --name $name $*" >>"$work/runs"
}

# openclip: does what was planned, in one process
openclip() {
	"$python" train_openclip.py "$data/configs" <"$work/runs" >"$work/openclip.log" 2>&1 || { cat "$work/openclip.log"; exit 1; }
	: >"$work/runs"
}

# coca NAME FLAGS…: the same of ours
coca() {
	name=$1
	shift
	# shellcheck disable=SC2086
	"$COCA" train --model "$data/coca_parity_ViT" $common --threads 1 \
		--aug-cfg 'scale=(1.0, 1.0)' --logs "$work/coca" --name "$name" "$@" >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; exit 1; }
	cp "$work/coca/$name/train.jsonl" "$work/$name.jsonl"
}

# compare WHAT WANT GOT FIRST STEPS
compare() {
	"$python" train_compare.py "$1" "$work/$2.jsonl" "$work/$3.jsonl" "$4" "$5" || failed=1
}
