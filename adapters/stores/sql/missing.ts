/** Is this the error of an import whose package is not installed? Bundlers and test runners word it in their own ways. */
export const missingPackage = (error: unknown): boolean => {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly code?: unknown
    readonly message?: unknown
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return true
  return typeof message === 'string' && /cannot find (package|module)|could not resolve|failed to load url/i.test(message)
}
