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

const FILE = resolve('test/http/in-an-editor.ts')
let line = ''
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
      const text = name === FILE ? PROGRAM + line.replace('|', '') : ts.sys.readFile(name)
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
  ['requireScopes(text)', '"stock:read" | "stock:write" | "bills:read"'],
])('the error for a name outside the catalogue suggests the intended name: %s', (text, says) => {
  write(text)
  const [error, ...others] = service.getSemanticDiagnostics(FILE)
  expect(others).toEqual([])
  expect(ts.flattenDiagnosticMessageText(error?.messageText, '\n')).toContain(says)
})
