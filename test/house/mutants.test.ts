import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { DECISION_MUTANTS } from '../tools/decision-mutants.js'
import { GUARD_MUTANTS } from '../tools/guard-mutants.js'
import { MUTANTS } from '../tools/mutants.js'

// A mutant whose text is missing from the file, or occurs twice, would stop the mutation check halfway, long after the change that caused it.
it.each(Object.entries({ ...MUTANTS, ...DECISION_MUTANTS, ...GUARD_MUTANTS }))(
  'the code that each mutant of %s replaces occurs exactly once in the file',
  (file, mutants) => {
    const source = readFileSync(file, 'utf8')
    for (const { find, become } of mutants) {
      expect(source.split(find), find).toHaveLength(2)
      expect(become).not.toBe(find)
    }
  },
)
