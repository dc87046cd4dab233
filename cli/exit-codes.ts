/** All done. */
export const EXIT_DONE = 0;
/** Could not run. */
export const EXIT_FAILED = 1;
/** Done, but some items failed and are listed. */
export const EXIT_ITEMS_FAILED = 2;
/** Stopped by Ctrl-C or SIGTERM; the same command goes on from there. */
export const EXIT_INTERRUPTED = 130;
