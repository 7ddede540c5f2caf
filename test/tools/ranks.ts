import { posix } from 'node:path'
import ts from 'typescript'

/** The layers of the source tree, lowest first. A file imports only from its own layer or a lower one. */
export const PLACES = [
  'src/errors.ts',
  'src/model/',
  'src/token/',
  'src/policy/',
  'src/store/',
  'src/audit/',
  'src/cache/',
  'src/activity/',
  'src/rate-limit/',
  'src/options.ts',
  'src/instance.ts',
  'src/verify/',
  'src/verbs/',
  'src/latchkey.ts',
  'src/http/',
  'src/dashboard/',
  'src/management/',
  'src/extensions/',
  // Imports no driver. The tools for hosts' tests store their tokens in it.
  'adapters/stores/memory',
  'src/testing/',
  'src/index.ts',
  'adapters/',
  'src/cli/',
] as const

/** The packages that a layer may import. The longest matching path counts. All other packages are refused. */
const PACKAGES: { readonly [place: string]: readonly string[] } = {
  'src/': [],
  'src/token/': ['@noble/hashes'],
  'src/audit/': ['@noble/hashes', 'zod'],
  'src/policy/': ['ipaddr.js'],
  'src/policy/shape.ts': ['zod'],
  'src/policy/field-schema.ts': ['zod'],
  'src/verbs/': ['zod'],
  'src/management/': ['hono', 'zod'],
  'src/dashboard/': ['zod'],
  'src/dashboard/page/': ['preact', 'uplot'],
  'src/extensions/client/node': ['node:'],
  'src/extensions/audit/': ['jose', 'zod'],
  'src/extensions/import/': ['@noble/hashes'],
  'src/extensions/jwt/': ['jose'],
  'src/extensions/otel/': ['@opentelemetry/api'],
  'src/extensions/webhooks/': ['node:', 'standardwebhooks', '@noble/hashes'],
  'src/cli/': ['node:', 'commander', 'cli-table3', '@clack/prompts', 'csv-parse', 'jiti'],
  'src/testing/': ['node:', 'zod'],
  'src/testing/routes/': ['node:', 'hono'],
  'adapters/': ['node:'],
  'adapters/stores/lib/': ['node:'],
  'adapters/frameworks/express.ts': ['node:', 'express'],
  'adapters/frameworks/koa.ts': ['node:', 'koa'],
  'adapters/frameworks/fastify.ts': ['node:', 'fastify'],
  'adapters/frameworks/hono.ts': ['hono'],
  'adapters/frameworks/nest': ['node:', '@nestjs/common', '@nestjs/core'],
  'adapters/frameworks/web.ts': [],
  'adapters/frameworks/ws': ['node:'],
  'adapters/stores/memory': [],
  'adapters/stores/sql': ['node:', 'kysely', 'pg', 'mysql2', 'libsql', 'better-sqlite3'],
  'adapters/stores/sqlite': ['node:', 'kysely', 'libsql', 'better-sqlite3'],
  'adapters/stores/postgres': ['node:', 'kysely', 'pg'],
  'adapters/stores/mysql': ['node:', 'kysely', 'mysql2'],
  'adapters/stores/redis': ['node:', 'ioredis', 'redis'],
}

const stands = (path: string, place: string): boolean => path === place || path.startsWith(place)

/** The rank of a file in `src` or `adapters`, or `undefined` if the file belongs to no layer. */
export const rankOf = (path: string): number | undefined => {
  const rank = PLACES.findIndex((place) => stands(path, place))
  return rank === -1 ? undefined : rank
}

const allowedPackages = (path: string): readonly string[] => {
  const places = Object.keys(PACKAGES).filter((place) => stands(path, place))
  const nearest = places.sort((a, b) => b.length - a.length)[0]
  return (nearest === undefined ? undefined : PACKAGES[nearest]) ?? []
}

const isAllowed = (specifier: string, allowed: readonly string[]): boolean =>
  allowed.some((name) => (name === 'node:' ? specifier.startsWith(name) : specifier === name || specifier.startsWith(`${name}/`)))

/** Every module that a source text names: static, type-only, re-exported, dynamic, and `import('x')` in a type. */
export const importsOf = (text: string): readonly string[] => {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      found.push(node.moduleSpecifier.text)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      // The type of a platform module costs nothing at run time, so `typeof import('node:crypto')` is allowed.
      if (!node.argument.literal.text.startsWith('node:')) found.push(node.argument.literal.text)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [target] = node.arguments
      if (target && ts.isStringLiteralLike(target)) found.push(target.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest))
  return found
}

/** The violations in the imports of one file, one sentence each. */
export const violationsOf = (path: string, text: string): readonly string[] => {
  const rank = rankOf(path)
  if (rank === undefined) return [`${path} belongs to no layer`]
  return importsOf(text).flatMap((specifier) => {
    if (!specifier.startsWith('.')) {
      return isAllowed(specifier, allowedPackages(path)) ? [] : [`${path} must not import the package ${specifier}`]
    }
    // The build inlines package.json, which alone contains the version.
    if (path.startsWith('src/cli/') && posix.join(posix.dirname(path), specifier) === 'package.json') return []
    if (!specifier.endsWith('.js')) return [`${path} imports ${specifier} without its .js ending`]
    const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
    const targetRank = rankOf(target)
    if (targetRank === undefined) return [`${path} imports ${target}, which belongs to no layer`]
    return targetRank > rank ? [`${path} imports ${target}, which is in a higher layer`] : []
  })
}
