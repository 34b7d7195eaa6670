/** From the whole of a very large plane to single pixels. */
export const MIN_ZOOM = -12;
export const MAX_ZOOM = 6;
