import type { Config } from '../lib/config.js'
import type { Me } from '../lib/types.js'

/** Languages in which a call of the host's API is shown. */
export const LANGUAGES = ['curl', 'fetch', 'python', 'axios', 'go'] as const
export type Language = (typeof LANGUAGES)[number]

export const LANGUAGE_NAMES: { readonly [language in Language]: string } = {
  curl: 'curl',
  fetch: 'fetch',
  python: 'Python',
  axios: 'axios',
  go: 'Go',
}

/** The name and content of the `.env` file. */
export const envLine = (token: string, { envName = 'API_TOKEN' }: Config): string => `${envName}=${token}`

/** What carries a token in a request, as the host reads it. */
export function fieldOf(token: string, { header, scheme }: Me['sentIn']): Field {
  // RFC 7617 §2: the token as the user, without a password.
  const value = scheme === undefined ? token : `${scheme} ${scheme === 'Basic' ? btoa(`${token}:`) : token}`
  return { header, value }
}

/** A call with the token, ready to be pasted: the example of the host, or its first page at `origin`. */
export function snippetOf(language: Language, field: Field, config: Config, origin: string): string {
  const { exampleUrl = `${origin}/`, exampleMethod = 'GET', exampleBody } = config
  const body = exampleBody === undefined ? undefined : JSON.stringify(exampleBody)
  return WRITERS[language]({ url: asciiOf(exampleUrl), method: exampleMethod, body, ...field })
}

type Field = { readonly header: string; readonly value: string }
type Call = Field & { readonly url: string; readonly method: string; readonly body: string | undefined }

const WRITERS: { readonly [language in Language]: (call: Call) => string } = {
  curl({ url, method, body, header, value }) {
    const verb = method === 'GET' ? '' : `-X ${method} `
    // Brackets and braces would ask for many addresses.
    const literal = /[[\]{}]/.test(url) ? '-g ' : ''
    const data = body === undefined ? '' : ` -H "Content-Type: application/json" -d ${shell(body)}`
    return `curl ${literal}${verb}-H "${header}: ${value}"${data} ${/^[\w:/.%~-]+$/.test(url) ? url : shell(url)}`
  },
  fetch: ({ url, method, body, header, value }) =>
    lines(
      `const response = await fetch(${quoted(url)}, {`,
      ...(method === 'GET' ? [] : [`  method: '${method}',`]),
      `  headers: { ${keyOf(header)}: '${value}'${body === undefined ? '' : ", 'Content-Type': 'application/json'"} },`,
      ...(body === undefined ? [] : [`  body: JSON.stringify(${body}),`]),
      '})',
    ),
  python: ({ url, method, body, header, value }) =>
    lines(
      'import requests',
      '',
      `response = requests.request("${method}", ${quoted(url)},`,
      // Before urllib3 2, text is sent as Latin-1.
      ...(body === undefined ? [] : [`    data=${quoted(body)}.encode(),`]),
      `    headers={"${header}": "${value}"${body === undefined ? '' : ', "Content-Type": "application/json"'}})`,
    ),
  axios: ({ url, method, body, header, value }) =>
    lines(
      'const { data } = await axios({',
      `  method: '${method}',`,
      `  url: ${quoted(url)},`,
      `  headers: { ${keyOf(header)}: '${value}' },`,
      ...(body === undefined ? [] : [`  data: ${body},`]),
      '})',
    ),
  go: ({ url, method, body, header, value }) =>
    lines(
      `req, err := http.NewRequest("${method}", ${quoted(url)}, ${body === undefined ? 'nil' : `strings.NewReader(${quoted(body)})`})`,
      'if err != nil {',
      '\tlog.Fatal(err)',
      '}',
      `req.Header.Set("${header}", "${value}")`,
      ...(body === undefined ? [] : ['req.Header.Set("Content-Type", "application/json")']),
      'res, err := http.DefaultClient.Do(req)',
      'if err != nil {',
      '\tlog.Fatal(err)',
      '}',
      'defer res.Body.Close()',
    ),
}

// Not every client escapes what is not ASCII.
const asciiOf = (url: string): string => (/^[!-~]+$/.test(url) || !URL.canParse(url) ? url : new URL(url).href)

const lines = (...all: readonly string[]): string => all.join('\n')

// A key of an object in JavaScript; the names of fields (RFC 9110 §5.1) hold no quote but the single one.
const keyOf = (header: string): string => (/^[A-Za-z]\w*$/.test(header) ? header : JSON.stringify(header))

// A JSON string is a string of JavaScript, Python and Go alike.
const quoted = (text: string): string => JSON.stringify(text)

// Nothing but the quote itself has a meaning inside of single quotes.
const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
