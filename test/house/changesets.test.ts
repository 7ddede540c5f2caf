import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('../../.changeset/', import.meta.url)
const names = readdirSync(root).filter((name) => name.endsWith('.md') && name !== 'README.md')

// Changesets turns each file into one list item of the changelog, so a list at its beginning would be nested without a sentence above it.
it('every changeset names a version bump and begins with a sentence, not with a list', () => {
  const wrong = names.filter(
    (name) => !/^---\n["']latchkey["']: (patch|minor|major)\n---\n\n[^\s*-]/.test(readFileSync(new URL(name, root), 'utf8')),
  )
  expect(wrong).toEqual([])
})
