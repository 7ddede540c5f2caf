/** Lets the process end although the timer is pending, where the platform knows the notion. */
export function unref(timer: unknown): void {
  const method: unknown = Reflect.get(Object(timer), 'unref')
  if (typeof method === 'function') Reflect.apply(method, timer, [])
}
