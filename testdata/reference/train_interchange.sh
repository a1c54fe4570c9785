#!/bin/sh
# Half a run here, half a run there: coca's epoch_10.pt resumed by open_clip_train, and open_clip_train's by coca. Each
# half must go on along the losses of the runs that nobody interrupted, of either side.
#
# Usage: PYTHON=path/to/python [COCA=path/to/coca] ./train_interchange.sh
set -eu
cd "$(dirname "$0")"
. ./train_common.sh

flags="--batch-size 8 --warmup 5 --lr 1e-3 --epochs 20 --save-frequency 10"
# shellcheck disable=SC2086
{
	openclip whole-openclip --pretrained "$data/start.pt" $flags
	coca whole-coca --pretrained "$data/start.pt" --export-pt $flags
	openclip from-coca --resume "$work/coca/whole-coca/checkpoints/epoch_10.pt" $flags
	coca from-openclip --resume "$work/openclip/whole-openclip/checkpoints/epoch_10.pt" $flags
	# And once more from where each ended up: 30 epochs, of which the last ten are on the other side again.
	coca there-and-back --resume "$work/openclip/from-coca/checkpoints/epoch_20.pt" --batch-size 8 --warmup 5 --lr 1e-3 --epochs 30 --lr-scheduler const
	openclip there-only --resume "$work/openclip/from-coca/checkpoints/epoch_20.pt" --batch-size 8 --warmup 5 --lr 1e-3 --epochs 30 --lr-scheduler const
}
compare "coca and open_clip_train, uninterrupted" whole-openclip whole-coca 0 20
compare "open_clip_train after coca, against coca" whole-coca from-coca 10 20
compare "open_clip_train after coca, against open_clip_train" whole-openclip from-coca 10 20
compare "coca after open_clip_train, against open_clip_train" whole-openclip from-openclip 10 20
compare "coca after open_clip_train, against coca" whole-coca from-openclip 10 20
compare "coca after open_clip_train after coca" there-only there-and-back 20 30
exit $failed
