#!/bin/sh
# Half a run here, half a run there: coca's epoch_10.pt resumed by open_clip_train, and open_clip_train's by coca. Each
# half must go on along the losses of the runs that nobody interrupted, of either side.
#
# Usage: PYTHON=path/to/python [COCA=path/to/coca] ./train_interchange.sh
set -eu
cd "$(dirname "$0")"
. ./train_common.sh

flags="--batch-size 8 --warmup 5 --lr 1e-3 --epochs 20 --save-frequency 10"
more="--batch-size 8 --warmup 5 --lr 1e-3 --epochs 30 --lr-scheduler const"
# shellcheck disable=SC2086
{
	plan whole-openclip --pretrained "$data/start.pt" $flags
	openclip
	coca whole-coca --pretrained "$data/start.pt" --export-pt $flags
	coca from-openclip --resume "$work/openclip/whole-openclip/checkpoints/epoch_10.pt" $flags
	plan from-coca --resume "$work/coca/whole-coca/checkpoints/epoch_10.pt" $flags
	# And ten epochs more from where that ended, on either side.
	plan there --resume "$work/openclip/from-coca/checkpoints/epoch_20.pt" $more
	openclip
	coca back --resume "$work/openclip/from-coca/checkpoints/epoch_20.pt" $more
}
compare "coca and open_clip_train, uninterrupted" whole-openclip whole-coca 0 20
compare "open_clip_train after coca, against coca" whole-coca from-coca 10 20
compare "open_clip_train after coca, against open_clip_train" whole-openclip from-coca 10 20
compare "coca after open_clip_train, against open_clip_train" whole-openclip from-openclip 10 20
compare "coca after open_clip_train, against coca" whole-coca from-openclip 10 20
compare "coca after open_clip_train after coca" there back 20 30
exit $failed
