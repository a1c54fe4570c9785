#!/bin/sh
# Train a small model with the real open_clip_train and with coca train on the same pictures and flags, and compare the
# losses, rates and scales of every step.
#
# Usage: PYTHON=path/to/python [COCA=path/to/coca] ./train_parity.sh
set -eu
cd "$(dirname "$0")"
. ./train_common.sh

# settings DO: calls DO with the name and the flags of each setting.
settings() {
	$1 defaults --batch-size 8 --warmup 5
	$1 decay --batch-size 8 --warmup 0 --lr 3e-4 --wd 0.5 --lr-scheduler const
	$1 recipe --batch-size 8 --warmup 1000 --lr 1e-5 --wd 0.1 --coca-contrastive-loss-weight 0 --coca-caption-loss-weight 1
	$1 contrastive --batch-size 8 --warmup 5 --lr 1e-3 --coca-caption-loss-weight 0
	$1 clip --batch-size 8 --warmup 5 --grad-clip-norm 0.5
	$1 cooldown --batch-size 8 --warmup 5 --lr-scheduler const-cooldown --epochs-cooldown 8 --lr-cooldown-power 2 --lr-cooldown-end 1e-5
	$1 betas --batch-size 8 --warmup 5 --beta1 0.8 --beta2 0.999 --eps 1e-8
	$1 accumulation --batch-size 4 --warmup 5 --accum-freq 2
	$1 accumulation-clip --batch-size 2 --warmup 5 --accum-freq 4 --grad-clip-norm 0.5
}

theirs() {
	setting=$1
	shift
	plan "o-$setting" --pretrained "$data/start.pt" --epochs 20 --save-frequency 0 "$@"
}

ours() {
	setting=$1
	shift
	coca "c-$setting" --pretrained "$data/start.pt" --epochs 20 --save-frequency 0 "$@"
	compare "$setting ($*)" "o-$setting" "c-$setting" 0 20
}

settings theirs
openclip
settings ours
exit $failed
