/** Loads a package that only the benchmark uses. Its types are not installed, so callers declare the parts that they use. */
export async function peer<T>(name: string): Promise<T> {
  const module: { readonly default?: unknown } & object = await import(name)
  return module as T
}
