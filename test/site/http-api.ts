import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { management } from 'latchkey/web'

type Schema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly properties?: { readonly [name: string]: Schema }
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}
type Parameter = {
  readonly $ref?: string
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Schema
}
type Operation = {
  readonly summary?: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: { readonly [type: string]: { readonly schema: Schema } } }
  readonly responses: { readonly [status: string]: { readonly $ref?: string; readonly description?: string } }
}
type Document = {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } }
  readonly components: {
    readonly schemas: { readonly [name: string]: Schema }
    readonly [kind: string]: { readonly [name: string]: unknown }
  }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** The reference of the management API, generated from the OpenAPI document that the API serves. */
export async function httpApiPage(): Promise<string> {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  const manage = management(tokens, { mountPath: '/tokens', actor: () => ({ id: 'docs', tenants: '*' as const, manages: 'all' as const }) })
  const document = (await (await manage(new Request('http://localhost/tokens/openapi.json'))).json()) as Document
  await tokens.close()
  const found = <T extends { readonly $ref?: string }>(value: T): T => {
    if (value.$ref === undefined) return value
    const [kind = '', name = ''] = value.$ref.split('/').slice(2)
    return document.components[kind]?.[name] as T
  }
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    METHODS.flatMap((method) => {
      const operation = methods[method]
      return operation === undefined ? [] : [section(`${method.toUpperCase()} ${path}`, operation, found)]
    }),
  )
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) => `### ${name}\n\n${schemaText(schema)}`)
  return `# HTTP API

Every operation of the management API, generated from the OpenAPI document that the API serves at \`/openapi.json\`. [Management API](./management-api.md) explains who can call which operation, and what applies to all of them.

${operations.join('\n\n')}

## Schemas

${schemas.join('\n\n')}
`
}

function section(
  title: string,
  { summary, description, parameters = [], requestBody, responses }: Operation,
  found: <T extends { readonly $ref?: string }>(value: T) => T,
): string {
  const given = parameters.map(found)
  const body = Object.values(requestBody?.content ?? {})[0]?.schema
  const parts = [
    `## ${title}`,
    summary,
    description,
    given.length > 0 &&
      table(
        ['parameter', 'in', 'type', 'meaning'],
        given.map((one) => [
          `\`${one.name}\``,
          one.in,
          typeOf(one.schema),
          `${one.required ? 'Required. ' : ''}${one.description ?? one.schema?.description ?? ''}`,
        ]),
      ),
    body !== undefined && `**Body:** ${typeOf(body)}${body.$ref === undefined ? `\n\n${schemaText(body)}` : ''}`,
    table(
      ['status', 'meaning'],
      Object.entries(responses).map(([status, response]) => [status, found(response).description ?? '']),
    ),
  ]
  return parts.filter(Boolean).join('\n\n')
}

function schemaText({ description, properties, required = [], ...schema }: Schema): string {
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [
    `\`${name}\``,
    typeOf(field),
    `${required.includes(name) ? '' : 'Optional. '}${field.description ?? ''}`,
  ])
  return [description, fields.length > 0 ? table(['field', 'type', 'meaning'], fields) : properties === undefined && typeOf(schema)]
    .filter(Boolean)
    .join('\n\n')
}

function typeOf(schema: Schema = {}): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return `[${name}](#${name.toLowerCase()})`
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return choices.map(typeOf).join(' or ')
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`
  return [schema.type ?? 'any'].flat().join(' or ')
}

const cellOf = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cellOf).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
