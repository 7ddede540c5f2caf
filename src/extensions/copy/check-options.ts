import { InvalidInputError } from '../../errors.js'
import type { Internals, Latchkey } from '../../instance.js'

/** Both instances with their internals. */
export type Ends = { readonly from: Latchkey; readonly to: Latchkey; readonly old: Internals; readonly now: Internals }

const MOVES = ['readMove', 'saveMove', 'restore'] as const

/**
 * Refuses options of the new instance under which it would not find the old instance's tokens.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function checkOptions({ from, to, old, now }: Ends): void {
  if (from.prefix !== to.prefix) throw new InvalidInputError('to.prefix', `must be ${from.prefix}, the prefix of the old instance`)
  const peppers = new Set(now.settings.digesters.map(({ pepperId }) => pepperId))
  const lacks = old.settings.digesters.some(({ pepperId }) => !peppers.has(pepperId))
  if (lacks)
    throw new InvalidInputError(
      'to.pepper',
      'must accept every pepper that the old instance accepts, and unpeppered tokens if the old instance does; otherwise they would be refused',
    )
  checkImports({ old, now })
  for (const [field, { store }] of [
    ['from.store', old.settings],
    ['to.store', now.settings],
  ] as const) {
    const missing = MOVES.find((method) => store[method] === undefined)
    if (missing !== undefined) throw new InvalidInputError(field, `has no ${missing}(), so it cannot take part in a copy`)
  }
  if (old.settings.store === now.settings.store) throw new InvalidInputError('to.store', 'must not be the store of the old instance')
}

function checkImports({ old, now }: Pick<Ends, 'old' | 'now'>): void {
  const [before, after] = [old.settings.imports, now.settings.imports]
  if (before === undefined) return
  if (after?.keys.idOf('copy', 'same key?') !== before.keys.idOf('copy', 'same key?')) {
    throw new InvalidInputError('to.imports.key', 'must be the key of the old instance; otherwise imported tokens would not be found')
  }
  const known = new Set(after.formats.map(({ name }) => name))
  const lost = before.formats.find(({ name }) => !known.has(name))
  if (lost !== undefined)
    throw new InvalidInputError('to.imports.formats', `must contain ${lost.name}; otherwise its tokens would be refused`)
}
