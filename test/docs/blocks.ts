import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'

/** A code block on a page. */
export type Block = { readonly page: string; readonly line: number; readonly language: string; readonly text: string }

const ROOT = new URL('../../', import.meta.url)

/** The handwritten pages: the README, CONTRIBUTING and everything in docs/ except the API pages, which are generated. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(new URL('docs', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
    .map((name) => `docs/${name}`)
    .sort(),
]

/** The code blocks of a page. Blocks in a list are indented. */
export function blocksOf(page: string): readonly Block[] {
  const markdown = readFileSync(new URL(page, ROOT), 'utf8')
  return [...markdown.matchAll(/^( *)```(\w+)\n([\s\S]*?)^\1```$/gm)].map(({ 1: indent = '', 2: language = '', 3: text = '', index }) => ({
    page,
    line: markdown.slice(0, index).split('\n').length,
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** The names that a piece of code declares at its top level or imports. */
export function declaredIn(text: string): readonly string[] {
  return parse(text).statements.flatMap((statement): readonly string[] => {
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.flatMap(({ name }) => boundBy(name))
    if (ts.isImportDeclaration(statement)) return importedBy(statement.importClause)
    const named = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isTypeAliasDeclaration(statement)
    return named && statement.name !== undefined ? [statement.name.text] : []
  })
}

/** The exported names. */
export function exportedBy(text: string): readonly string[] {
  const passedOn = parse(text).statements.flatMap((statement) => {
    const names = ts.isExportDeclaration(statement) ? statement.exportClause : undefined
    return names !== undefined && ts.isNamedExports(names) ? names.elements.map(({ name }) => name.text) : []
  })
  const exported = parse(text).statements.filter(
    (statement) => ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
  )
  return [...passedOn, ...declaredIn(exported.map((statement) => statement.getText()).join('\n'))]
}

/** The names that a piece of code reads: identifiers that are not properties. */
export function readBy(text: string): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (node: ts.Node): void => {
    const { parent } = node
    const property =
      parent !== undefined &&
      ((ts.isPropertyAccessExpression(parent) && parent.name === node) || (ts.isPropertyAssignment(parent) && parent.name === node))
    if (ts.isIdentifier(node) && !property) found.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(parse(text))
  return found
}

/** The syntax errors in a JavaScript block. */
export function syntaxErrorsOf(text: string): readonly string[] {
  const { diagnostics = [] } = ts.transpileModule(text, { reportDiagnostics: true, fileName: 'block.js' })
  return diagnostics.map(({ messageText }) => String(messageText))
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile('block.ts', text, ts.ScriptTarget.Latest, true)
}

function boundBy(name: ts.BindingName): readonly string[] {
  if (ts.isIdentifier(name)) return [name.text]
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundBy(element.name)))
}

function importedBy(clause: ts.ImportClause | undefined): readonly string[] {
  const names = clause?.namedBindings
  const some = names === undefined ? [] : ts.isNamespaceImport(names) ? [names.name] : names.elements.map(({ name }) => name)
  return [...(clause?.name === undefined ? [] : [clause.name]), ...some].map(({ text }) => text)
}
