/** The projections of the dual encoder, by what they project. */
export const ITC_HEADS = { image: 'itc_image_proj.fc', text: 'itc_text_proj.fc' } as const;
/** The same behind the vl experts, in pre-training checkpoints. */
export const ITC_VL_HEADS = { image: 'itc_vl_image_proj.fc', text: 'itc_vl_text_proj.fc' } as const;
