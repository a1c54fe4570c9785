"""The small configurations that small_goldens.py runs, each for one or a few switches of the architecture."""

TEXT = dict(context_length=9, vocab_size=50, width=24, heads=3, layers=2, embed_cls=True, output_tokens=True)
PAIR = dict(context_length=9, vocab_size=50, width=24, heads=3, layers=2)
POOL = dict(image_size=12, patch_size=4, width=32, head_width=16, layers=2, attentional_pool=True, attn_pooler_queries=5,
            attn_pooler_heads=4, output_tokens=True)
PLAIN = dict(image_size=12, patch_size=6, width=24, head_width=8, layers=1, output_tokens=True)
SHORT = [[48, 7, 3, 19, 49, 0, 0, 0, 0], [48, 5, 0, 11, 2, 30, 8, 17, 49], [48, 7, 3, 19, 49]]


def _cfg(embed_dim=24, vision=POOL, text={}, decoder={}, **top):
    return dict(embed_dim=embed_dim, custom_text=True, vision_cfg=dict(vision), text_cfg=dict(TEXT, **text),
                multimodal_cfg=dict(PAIR, **decoder), **top)


def _context(n, decoder=None, heads=1, layers=1):
    return _cfg(16, dict(PLAIN, width=16), dict(context_length=n, width=16, heads=heads, layers=layers),
                dict(context_length=decoder or n, width=16, heads=heads, layers=layers))


def _long(n):
    """One row that ends in the middle and is padded, one that fills the context."""
    middle = [48] + [1 + 7 * i % 47 for i in range(n // 2)] + [49]
    return [middle + [0] * (n - len(middle)), [48] + [1 + 5 * i % 47 for i in range(n - 2)] + [49]]


ACCEPTED = {
    "tiny_pool": dict(about="attentional pooler; padded, full (with an id 0 inside) and short rows", config=_cfg()),
    "tiny_plain": dict(about="no pooler: the tokens are ln_post's", config=_cfg(16, PLAIN, decoder=dict(layers=1))),
    "quick_gelu": dict(about="quick_gelu in all towers", config=_cfg(16, PLAIN, quick_gelu=True)),
    "layer_scale": dict(about="ls_init_value in all three stacks: ls_1.gamma and ls_2.gamma",
                        config=_cfg(vision=dict(POOL, ls_init_value=0.5), text=dict(ls_init_value=0.25), decoder=dict(ls_init_value=0.125))),
    "layer_scale_vision": dict(about="ls_init_value and quick_gelu in the visual tower only",
                               config=_cfg(vision=dict(POOL, ls_init_value=1e-5), quick_gelu=True)),
    "head_width": dict(about="heads = width // head_width = 96 // 40 = 2, so the true head width is 48; decoder heads unlike text heads",
                       config=_cfg(48, dict(POOL, width=96, head_width=40, layers=1, attn_pooler_heads=6),
                                   dict(width=48, heads=4, layers=1), dict(width=48, heads=2, layers=1))),
    "mlp_ratio": dict(about="vision mlp_ratio 2.6 (int(32 * 2.6) = 83), text mlp_ratio 3; the decoder's is 4 whatever its config says",
                      config=_cfg(vision=dict(POOL, mlp_ratio=2.6), text=dict(mlp_ratio=3), decoder=dict(mlp_ratio=2))),
    "pool_fused": dict(about="width == embed_dim: the pooler has one in_proj_weight instead of q, k and v",
                       config=_cfg(32, dict(POOL), dict(width=32, heads=4), dict(width=32, heads=4))),
    "pool_avg": dict(about="pool_type avg with a pooler: the mean of the queries after the first",
                     config=_cfg(vision=dict(POOL, pool_type="avg"))),
    "plain_avg": dict(about="pool_type avg without a pooler: the mean of the patch tokens", config=_cfg(16, dict(PLAIN, pool_type="avg"))),
    "plain_none": dict(about="pool_type none: every token is pooled and is an image token; image_features is [1, N, E]",
                       may_refuse="image_features is no vector", config=_cfg(16, dict(PLAIN, pool_type="none"))),
    "pool_none": dict(about="pool_type none with a pooler", may_refuse="image_features is no vector",
                      config=_cfg(vision=dict(POOL, pool_type="none"))),
    "pool_parallel": dict(about="attentional_pool parallel (width == embed_dim); image_features is [1, 1, E]",
                          config=_cfg(32, dict(POOL, attentional_pool="parallel"), dict(width=32, heads=4), dict(width=32, heads=4))),
    "pool_cascade": dict(about="attentional_pool cascade (width == embed_dim); image_features is [1, 1, E]",
                         config=_cfg(32, dict(POOL, attentional_pool="cascade"), dict(width=32, heads=4), dict(width=32, heads=4))),
    "odd_image": dict(about="image size 15 with patch 4: the last three rows and columns are unused",
                      config=_cfg(vision=dict(POOL, image_size=15))),
    "oblong": dict(about="image 8 high and 20 wide, patches 4 high and 5 wide: a grid of 2 by 4", may_refuse="not square",
                   config=_cfg(vision=dict(POOL, image_size=[8, 20], patch_size=[4, 5]))),
    "context_76": dict(about="context 76", attention=False, ids=_long(76), config=_context(76)),
    "context_77": dict(about="context 77", attention=False, ids=_long(77), config=_context(77)),
    "context_128": dict(about="context 128", attention=False, ids=_long(128), config=_context(128)),
    "context_256": dict(about="context 256", attention=False, ids=_long(256), config=_context(256)),
    "context_77_76": dict(about="text context 77, decoder context 76: the cut before the decoder makes it fit", attention=False,
                          ids=_long(77), config=_context(77, 76)),
    "no_cls": dict(about="embed_cls false, pool_type argmax: ln_final on all tokens, no padding mask; runs at full length only",
                   ids=SHORT[:2], config=_cfg(text=dict(embed_cls=False))),
    "no_cls_first": dict(about="embed_cls false, pool_type first", ids=SHORT[:2], config=_cfg(text=dict(embed_cls=False, pool_type="first"))),
    "no_cls_last": dict(about="embed_cls false, pool_type last", ids=SHORT[:2], config=_cfg(text=dict(embed_cls=False, pool_type="last"))),
    "no_cls_eos": dict(about="embed_cls false, pool_type eos with eos_id 17: the first such id, or row 0 if there is none", ids=SHORT[:2],
                       config=_cfg(text=dict(embed_cls=False, pool_type="eos", eos_id=17))),
    "no_causal_mask": dict(about="no_causal_mask with embed_cls: the padding mask alone", config=_cfg(text=dict(no_causal_mask=True))),
    "norms": dict(about="no_ln_pre and final_ln_after_pool, no pooler: the tokens are not normalised",
                  config=_cfg(16, dict(PLAIN, no_ln_pre=True, final_ln_after_pool=True, layers=2))),
    "norms_pool": dict(about="no_ln_pre and final_ln_after_pool with a pooler, where the latter does nothing",
                       config=_cfg(vision=dict(POOL, no_ln_pre=True, final_ln_after_pool=True))),
    "pad_id": dict(about="text pad_id 3 (which the mask looks for) and the model's own pad_id 5 (which only generate uses)",
                   ids=[[48, 7, 19, 49, 3, 3, 3, 3, 3], [48, 5, 3, 11, 2, 30, 8, 17, 49], [48, 0, 3, 19, 49]],
                   config=_cfg(text=dict(pad_id=3), pad_id=5)),
    "logit_bias": dict(about="init_logit_bias: a 0-dim logit_bias that no output here depends on", config=_cfg(init_logit_bias=-10.0)),
    "logit_shape": dict(about="nonscalar_logit_scale: logit_scale and logit_bias of shape [1]",
                        config=_cfg(init_logit_bias=-10.0, nonscalar_logit_scale=True)),
    "dead_keys": dict(about="keys of multimodal_cfg that do nothing: mlp_ratio, dim_head, n_queries, attn_pooler_heads, vocab_size, embed_cls, pad_id",
                      config=_cfg(decoder=dict(mlp_ratio=2, dim_head=7, n_queries=3, attn_pooler_heads=5, vocab_size=11, embed_cls=True,
                                               output_tokens=False, pad_id=4, final_ln_after_pool=True))),
    "odd_sizes": dict(about="vocabulary 53, one head, widths that are no multiple of 8, three decoder layers, one query more than none",
                      config=_cfg(21, dict(POOL, width=27, head_width=9, attn_pooler_queries=2, attn_pooler_heads=3, layers=3),
                                  dict(width=21, heads=1, layers=1, vocab_size=53), dict(width=21, heads=7, layers=3, vocab_size=53))),
    "text_projection": dict(about="proj_bias: text.text_projection is a linear layer with weight [E, T] and bias", config=_cfg(16, PLAIN, dict(proj_bias=True))),
    "no_projection": dict(about="proj_type none: text_features has the text width", config=_cfg(16, PLAIN, dict(proj_type="none"))),
    "kwargs": dict(about="norm_kwargs (eps) and act_kwargs (GELU by tanh) in the visual and text towers; the decoder has none",
                   may_refuse="norm_kwargs and act_kwargs are not of the CoCa configurations",
                   config=_cfg(16, dict(PLAIN, norm_kwargs={"eps": 1e-3}, act_kwargs={"approximate": "tanh"}),
                               dict(norm_kwargs={"eps": 1e-2}, act_kwargs={"approximate": "tanh"}))),
    "harmless": dict(about="patch_dropout, which acts in training only, and pos_embed_type sin_cos_2d, whose table is stored",
                     config=_cfg(vision=dict(POOL, patch_dropout=0.5, pos_embed_type="sin_cos_2d"))),
}

REFUSED = {
    "latent_dim": dict(about="latent_dim in multimodal_cfg, as in an old README; to be ignored", config=_cfg(decoder=dict(latent_dim=24))),
    "unknown_vision_key": dict(about="an unknown key in vision_cfg", config=_cfg(vision=dict(POOL, n_queries=5))),
    "unknown_top_key": dict(about="an unknown key beside embed_dim", config=_cfg(something=1)),
    "decoder_width": dict(about="decoder width unlike the text width", config=_cfg(decoder=dict(width=32, heads=4))),
    "pooler_width": dict(about="embed_dim, the pooler's width, unlike the decoder's width", config=_cfg(32)),
    "plain_width": dict(about="no pooler and a visual width unlike the decoder's", config=_cfg(16, dict(PLAIN, width=32))),
    "vision_heads": dict(about="visual width no multiple of its heads", config=_cfg(vision=dict(POOL, width=33, head_width=16))),
    "no_vision_heads": dict(about="head_width above the width: no heads", config=_cfg(vision=dict(POOL, head_width=64))),
    "text_heads": dict(about="text width no multiple of the heads", config=_cfg(text=dict(heads=5))),
    "decoder_heads": dict(about="decoder width no multiple of the heads", config=_cfg(decoder=dict(heads=5))),
    "pooler_heads": dict(about="embed_dim no multiple of attn_pooler_heads", config=_cfg(vision=dict(POOL, attn_pooler_heads=5))),
    "vision_tokens": dict(about="output_tokens false in vision_cfg", config=_cfg(vision=dict(POOL, output_tokens=False))),
    "text_tokens": dict(about="output_tokens false in text_cfg", config=_cfg(text=dict(output_tokens=False))),
    "decoder_context": dict(about="a text of 9 ids for a decoder of context 7", config=_cfg(decoder=dict(context_length=7))),
    "pool_type": dict(about="an unknown vision pool_type", config=_cfg(vision=dict(POOL, pool_type="max"))),
    "text_pool_type": dict(about="an unknown text pool_type", config=_cfg(text=dict(pool_type="avg"))),
    "attentional_pool": dict(about="an unknown kind of pooler", config=_cfg(vision=dict(POOL, attentional_pool="serial"))),
    "parallel_width": dict(about="parallel pooler with width unlike embed_dim", config=_cfg(vision=dict(POOL, attentional_pool="parallel"))),
    "cascade_width": dict(about="cascade pooler with width unlike embed_dim", config=_cfg(vision=dict(POOL, attentional_pool="cascade"))),
    "pos_embed_type": dict(about="an unknown pos_embed_type", config=_cfg(vision=dict(POOL, pos_embed_type="rotary"))),
    "no_cls_short": dict(about="embed_cls false and a row shorter than the context: the causal mask is not cut to it", ids=SHORT[2:],
                         config=_cfg(text=dict(embed_cls=False))),
    "no_cls_generate": dict(about="embed_cls false: forward runs at full length, so generate cannot", ids=SHORT[:1],
                            config=_cfg(text=dict(embed_cls=False))),
    "image_below_patch": dict(about="image smaller than a patch", config=_cfg(vision=dict(POOL, image_size=3))),
    "missing_vision": dict(about="the vision_cfg lacks its width's partner", config=dict(_cfg(), vision_cfg=dict(POOL, layers=None))),
}


def case_ids(entry):
    return entry.get("ids", SHORT)
