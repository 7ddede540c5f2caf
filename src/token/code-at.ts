/**
 * The UTF-16 code unit at a position; NaN beyond the end.
 *
 * Some packages that hosts load (ioredis is one) make engines treat `String.prototype` as a dictionary, in which each `text.charCodeAt(…)`
 * is looked up anew, five times as slowly. A bound function is called directly whatever happens there
 * later; the same by `charCodeAt.call(…)` on a variable is not.
 */
export const codeAt: (text: string, at: number) => number = Function.prototype.call.bind(String.prototype.charCodeAt)
