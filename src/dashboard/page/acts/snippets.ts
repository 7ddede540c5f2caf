import type { Config } from '../lib/config.js'
import type { Me } from '../lib/types.js'

/** The languages of the code snippets. */
export const LANGUAGES = ['curl', 'fetch', 'python', 'axios', 'go'] as const
export type Language = (typeof LANGUAGES)[number]

export const LANGUAGE_NAMES: { readonly [language in Language]: string } = {
  curl: 'curl',
  fetch: 'fetch',
  python: 'Python',
  axios: 'axios',
  go: 'Go',
}

/** Returns the name and content of the `.env` file. */
export const envLine = (token: string, { envName = 'API_TOKEN' }: Config): string => `${envName}=${token}`

/** Returns the header field that carries a token, as the host expects it. */
export function fieldOf(token: string, { header, scheme }: Me['sentIn']): Field {
  // RFC 7617 §2: the token as the user, without a password.
  const value = scheme === undefined ? token : `${scheme} ${scheme === 'Basic' ? btoa(`${token}:`) : token}`
  return { header, value }
}

/** Returns a call with the token, ready to paste: the host's example, or the root of `origin`. */
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
    // Otherwise curl would expand brackets and braces into several URLs.
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

// Not every client escapes non-ASCII characters.
const asciiOf = (url: string): string => (/^[!-~]+$/.test(url) || !URL.canParse(url) ? url : new URL(url).href)

const lines = (...all: readonly string[]): string => all.join('\n')

// An object key in JavaScript. Field names (RFC 9110 §5.1) contain no quotation mark other than the single quote.
const keyOf = (header: string): string => (/^[A-Za-z]\w*$/.test(header) ? header : JSON.stringify(header))

// A JSON string is also a string literal in JavaScript, Python and Go.
const quoted = (text: string): string => JSON.stringify(text)

// Only the quote itself is special inside single quotes.
const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
