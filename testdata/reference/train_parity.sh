#!/bin/sh
# Train a small model with the real open_clip_train and with coca train on the same pictures and flags, and compare the
# losses, rates and scales of every step.
#
# Usage: PYTHON=path/to/python [COCA=path/to/coca] ./train_parity.sh
set -eu
cd "$(dirname "$0")"
. ./train_common.sh

# setting NAME FLAGS…
setting() {
	setting=$1
	shift
	openclip "o-$setting" --pretrained "$data/start.pt" --epochs 20 --save-frequency 0 "$@"
	coca "c-$setting" --pretrained "$data/start.pt" --epochs 20 --save-frequency 0 "$@"
	compare "$setting ($*)" "o-$setting" "c-$setting" 0 20
}

setting defaults --batch-size 8 --warmup 5
setting decay --batch-size 8 --warmup 0 --lr 1e-3 --wd 0.5 --lr-scheduler const
setting recipe --batch-size 8 --warmup 1000 --lr 1e-5 --wd 0.1 --coca-contrastive-loss-weight 0 --coca-caption-loss-weight 1
setting contrastive --batch-size 8 --warmup 5 --lr 1e-3 --coca-caption-loss-weight 0
setting clip --batch-size 8 --warmup 5 --grad-clip-norm 0.5
setting cooldown --batch-size 8 --warmup 5 --lr-scheduler const-cooldown --epochs-cooldown 8 --lr-cooldown-power 2 --lr-cooldown-end 1e-5
setting betas --batch-size 8 --warmup 5 --beta1 0.8 --beta2 0.999 --eps 1e-8
setting accumulation --batch-size 4 --warmup 5 --accum-freq 2
setting accumulation-clip --batch-size 2 --warmup 5 --accum-freq 4 --grad-clip-norm 0.5
exit $failed
