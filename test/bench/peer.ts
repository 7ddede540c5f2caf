/** A package that only the benchmark has. Its types are not installed either, so what is used of it is named where it is used. */
export async function peer<T>(name: string): Promise<T> {
  const module: { readonly default?: unknown } & object = await import(name)
  return module as T
}
