/** Waits. If the platform allows it, the timer does not keep the process alive, unless `holds` is set. */
export function sleep(ms: number, holds?: boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer: number | { unref?(): unknown } = setTimeout(resolve, ms)
    if (typeof timer === 'object' && !holds) timer.unref?.()
  })
}

/** Returns the result of `work`, or rejects if it takes longer than `ms`. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} seconds`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
