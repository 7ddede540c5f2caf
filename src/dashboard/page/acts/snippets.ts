import { origin } from '../lib/api.js'
import { config } from '../lib/config.js'

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
export const envLine = (token: string): string => `${config.envName ?? 'API_TOKEN'}=${token}`

/** A call with the token, ready to be pasted. */
export function snippetOf(language: Language, token: string): string {
  const url = config.exampleUrl ?? `${origin}/`
  const method = config.exampleMethod ?? 'GET'
  const body = config.exampleBody === undefined ? undefined : JSON.stringify(config.exampleBody)
  return WRITERS[language]({ url, method, body, token })
}

type Call = { readonly url: string; readonly method: string; readonly body: string | undefined; readonly token: string }

const WRITERS: { readonly [language in Language]: (call: Call) => string } = {
  curl({ url, method, body, token }) {
    const verb = method === 'GET' ? '' : `-X ${method} `
    const data = body === undefined ? '' : ` -H "Content-Type: application/json" -d ${shell(body)}`
    return `curl ${verb}-H "Authorization: Bearer ${token}"${data} ${/^[\w:/.%~-]+$/.test(url) ? url : shell(url)}`
  },
  fetch: ({ url, method, body, token }) =>
    lines(
      `const response = await fetch(${quoted(url)}, {`,
      ...(method === 'GET' ? [] : [`  method: '${method}',`]),
      `  headers: { Authorization: 'Bearer ${token}'${body === undefined ? '' : ", 'Content-Type': 'application/json'"} },`,
      ...(body === undefined ? [] : [`  body: JSON.stringify(${body}),`]),
      '})',
    ),
  python: ({ url, method, body, token }) =>
    lines(
      'import requests',
      '',
      `response = requests.request("${method}", ${quoted(url)},`,
      ...(body === undefined ? [] : [`    data=${quoted(body)},`]),
      `    headers={"Authorization": "Bearer ${token}"${body === undefined ? '' : ', "Content-Type": "application/json"'}})`,
    ),
  axios: ({ url, method, body, token }) =>
    lines(
      'const { data } = await axios({',
      `  method: '${method}',`,
      `  url: ${quoted(url)},`,
      `  headers: { Authorization: 'Bearer ${token}' },`,
      ...(body === undefined ? [] : [`  data: ${body},`]),
      '})',
    ),
  go: ({ url, method, body, token }) =>
    lines(
      `req, err := http.NewRequest("${method}", ${quoted(url)}, ${body === undefined ? 'nil' : `strings.NewReader(${quoted(body)})`})`,
      'if err != nil {',
      '\tlog.Fatal(err)',
      '}',
      `req.Header.Set("Authorization", "Bearer ${token}")`,
      ...(body === undefined ? [] : ['req.Header.Set("Content-Type", "application/json")']),
      'res, err := http.DefaultClient.Do(req)',
    ),
}

const lines = (...all: readonly string[]): string => all.join('\n')

// A JSON string is a string of JavaScript, Python and Go alike.
const quoted = (text: string): string => JSON.stringify(text)

// Nothing but the quote itself has a meaning inside of single quotes.
const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
