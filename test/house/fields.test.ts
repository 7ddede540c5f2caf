import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { FIELD_ROWS } from '../../src/model/fields.js'

const text = readFileSync('src/model/fields.ts', 'utf8')
const file = ts.createSourceFile('fields.ts', text, ts.ScriptTarget.Latest, true)

/** The docstring of each row, as shown by editors, by the row's name. */
function docstrings(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === 'FIELDS') {
      const table = node.initializer && ts.isAsExpression(node.initializer) ? node.initializer.expression : undefined
      if (table !== undefined && ts.isObjectLiteralExpression(table)) {
        for (const row of table.properties) {
          const [comment] = ts.getLeadingCommentRanges(text, row.getFullStart()) ?? []
          const doc = comment === undefined ? '' : text.slice(comment.pos + 3, comment.end - 2).trim()
          found.set(row.name?.getText() ?? '', doc)
        }
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

it('every row of the field table has a docstring that equals its description in the API document', () => {
  const docs = docstrings()
  expect([...docs.keys()]).toEqual(FIELD_ROWS.map(([name]) => name))
  for (const [name, { description }] of FIELD_ROWS) expect(docs.get(name), name).toBe(description)
})

it('the field table imports nothing', () => {
  expect(text).not.toMatch(/^import\b/m)
})
