import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, it } from 'vitest'

/** An option with its default, if its docstring states one. */
type Option = { readonly name: string; readonly stated: string }

/** Options whose values are not option objects. */
const WHOLE = ['store', 'logger', 'scopes', 'groups', 'implies']

/** The options of `latchkey()`, with those within other options, as the compiler sees them. */
function optionsInTypes(): readonly Option[] {
  const program = ts.createProgram(['src/options.ts'], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    types: ['node'],
  })
  const checker = program.getTypeChecker()
  const found: Option[] = []
  const add = (type: ts.Type, path: string): void => {
    for (const property of checker.getPropertiesOfType(type)) {
      const name = `${path}${property.name}`
      const tag = property.getJsDocTags(checker).find((each) => each.name === 'default')
      const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0
      found.push({ name, stated: isOptional ? ts.displayPartsToString(tag?.text).replace(/\s+/g, ' ') : 'required' })
      if (path !== '' || WHOLE.includes(name)) continue
      const value = checker.getNonNullableType(checker.getTypeOfSymbol(property))
      const isOwn = (part: ts.Type): boolean =>
        (part.flags & ts.TypeFlags.Object) !== 0 && part.getCallSignatures().length === 0 && !checker.isArrayLikeType(part)
      for (const part of value.isUnion() ? value.types : [value]) if (isOwn(part)) add(part, `${name}.`)
    }
  }
  const file = program.getSourceFile('src/options.ts')
  const node = file?.statements.find((each) => ts.isTypeAliasDeclaration(each) && each.name.text === 'LatchkeyOptions')
  if (node !== undefined) add(checker.getTypeAtLocation(node), '')
  return found
}

it('the options page lists every option of latchkey() with its default and a description', () => {
  const rows = [...readFileSync('docs/options.md', 'utf8').matchAll(/^\| `([\w.]+)` \| (.+) \| (.+) \|$/gm)]
  const page = new Map(rows.map(([, name = '', meaning = '', stated = '']) => [name, { meaning, stated }]))
  const options = optionsInTypes()
  expect(options.length).toBeGreaterThan(40)
  expect([...page.keys()].sort()).toEqual(options.map(({ name }) => name).sort())
  for (const { name, stated } of options) {
    expect(page.get(name)?.meaning, name).toMatch(/\.( \[.+\]\(.+\))?$/)
    if (stated !== '') expect(page.get(name)?.stated.replaceAll('`', ''), name).toBe(stated)
  }
})
