import { resolve } from 'node:path'
import ts from 'typescript'
import { beforeAll, expect, it } from 'vitest'

/** A program in an editor: a registered instance, and a line in which `|` marks the cursor. */
const PROGRAM = `import { latchkey } from 'latchkey'
import { protect, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
declare const text: string
const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes: { 'stock:read': 'See', 'stock:write': 'Change', 'bills:read': 'Bills' } })
declare module 'latchkey' { interface Register { tokens: typeof tokens } }
`

const ONE_SCOPE = PROGRAM.replace(", 'stock:write': 'Change', 'bills:read': 'Bills'", '')

const FILE = resolve('test/http/in-an-editor.ts')
let line = ''
let only = false
let version = 0
let service: ts.LanguageService

beforeAll(() => {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, isolatedDeclarations: false, declaration: false }, '.')
  service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [FILE],
    getScriptVersion: (name) => (name === FILE ? String(version) : '1'),
    getScriptSnapshot: (name) => {
      const text = name === FILE ? (only ? ONE_SCOPE : PROGRAM) + line.replace('|', '') : ts.sys.readFile(name)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => resolve('.'),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === FILE || ts.sys.fileExists(name),
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  })
})

const write = (text: string): void => {
  line = text
  version += 1
}

it.each([
  "requireScopes('|')",
  "requireScopes('sto|')",
  "requireScopes('stock:read', '|')",
  "requireScopes({ any: ['|'] })",
  "protect(tokens, 'bil|')",
])('an editor offers the names of the catalogue and nothing else: %s', (text) => {
  write(text)
  const found = service.getCompletionsAtPosition(FILE, PROGRAM.length + text.indexOf('|'), {})
  expect(found?.entries.map(({ name }) => name).sort()).toEqual(['bills:read', 'stock:read', 'stock:write'])
})

it.each([
  ["requireScopes('stock:raed')", `"did you mean 'stock:read'?"`],
  ["requireScopes('stock:read', 'bils:read')", `"did you mean 'bills:read'?"`],
  ["requireScopes({ any: ['stock:wriet'] })", `"did you mean 'stock:write'?"`],
  ["requireScopes('stoc')", `"did you mean 'stock:read'?" | "did you mean 'stock:write'?"`],
  ["requireScopes('@staff')", '"must name a scope, not a wildcard or a group"'],
  ["requireScopes('stock:*')", '"must name a scope, not a wildcard or a group"'],
  ["requireScopes({ any: ['*'] })", '"must name a scope, not a wildcard or a group"'],
  ["requireScopes('foo')", 'parameter of type \'"stock:read" | "stock:write" | "bills:read"\''],
  ["requireScopes('')", 'parameter of type \'"stock:read" | "stock:write" | "bills:read"\''],
  ['requireScopes(text)', '"stock:read" | "stock:write" | "bills:read"'],
])('the error for a name outside the catalogue suggests the intended name: %s', (text, says) => {
  write(text)
  const [error, ...others] = service.getSemanticDiagnostics(FILE)
  expect(others).toEqual([])
  expect(ts.flattenDiagnosticMessageText(error?.messageText, '\n')).toContain(says)
})

it('a catalogue of one scope suggests it for every misspelling', () => {
  only = true
  try {
    write("requireScopes('stock:raed')")
    const [error] = service.getSemanticDiagnostics(FILE)
    expect(ts.flattenDiagnosticMessageText(error?.messageText, '\n')).toContain(`"did you mean 'stock:read'?"`)
  } finally {
    only = false
  }
})

it.each([
  ["tokens.system.create({ name: 'x' })", "Property 'scopes' is missing"],
  ["tokens.system.create({ name: 'x', scopes: ['stock:raed'] })", `Did you mean '"stock:read"'?`],
  ["tokens.system.import([{}], { format: 'old', map: () => ({ name: 'x' }) })", "Property 'scopes' is missing"],
  ["tokens.system.import([{}], { format: 'old', map: () => ({ name: 'x', scopes: ['stock:raed'] }) })", `Did you mean '"stock:read"'?`],
  [
    "tokens.system.import([{}], { format: 'old', map: async () => ({ name: 'x', scopes: ['stock:raed'] }) })",
    `Did you mean '"stock:read"'?`,
  ],
])('the error for a new token without valid scopes is about its scopes, and not about `inherit`: %s', (text, says) => {
  write(text)
  const errors = service.getSemanticDiagnostics(FILE).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  expect(errors).toEqual([expect.stringContaining(says)])
  expect(errors[0]).not.toContain("'inherit' is missing")
})

// TypeScript 6 reports the member whose type is created last, which is the generic one. TypeScript 7, which this repository cannot load, reports the last one
// in the source. `npm run consumer` compiles with both.
it('the scopes are the last alternative in the grants of a new token, because TypeScript 7 reports the last one', () => {
  const source = ts.createSourceFile('record.ts', ts.sys.readFile('src/model/record.ts') ?? '', ts.ScriptTarget.Latest)
  const grants = source.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === 'GrantsInput')
  expect(
    grants && ts.isTypeAliasDeclaration(grants) && ts.isUnionTypeNode(grants.type) && grants.type.types.at(-1)?.getText(source),
  ).toMatch(/^\{ readonly scopes: /)
})
