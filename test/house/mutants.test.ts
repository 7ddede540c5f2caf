import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { DECISION_MUTANTS } from '../tools/decision-mutants.js'
import { GUARD_MUTANTS } from '../tools/guard-mutants.js'
import { MUTANTS } from '../tools/mutants.js'

// A mutant whose place is gone, or stands in the file twice, would end the mutation check half-way, long after the change that did it.
it.each(Object.entries({ ...MUTANTS, ...DECISION_MUTANTS, ...GUARD_MUTANTS }))(
  'every mutant of %s has its place in the file',
  (file, mutants) => {
    const source = readFileSync(file, 'utf8')
    for (const { find, become } of mutants) {
      expect(source.split(find), find).toHaveLength(2)
      expect(become).not.toBe(find)
    }
  },
)
