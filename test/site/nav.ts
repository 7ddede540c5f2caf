/** A group of pages by their paths in docs/, without `.md`. A title is needed only if the page's heading is too long for a menu. */
export type Group = { readonly text: string; readonly pages: readonly (string | readonly [path: string, title: string])[] }

/** The navigation by kind: learn, do, look up, understand. It lists every docs page once, except the API pages of the entries and the decisions. */
export const NAVIGATION: readonly { readonly kind: string; readonly groups: readonly Group[] }[] = [
  { kind: 'Tutorial', groups: [{ text: 'Tutorial', pages: ['getting-started'] }] },
  {
    kind: 'Guides',
    groups: [
      { text: 'Set up', pages: ['installation', 'serverless', 'health', 'observability', 'retention'] },
      {
        text: 'Frameworks',
        pages: [
          ...['express', 'fastify', 'koa', 'hono', 'nest', 'web', 'next', 'trpc', 'h3-elysia', 'aws-lambda', 'passport'],
          ...['socket-io', 'graphql-ws'],
        ].map((name) => `frameworks/${name}`),
      },
      {
        text: 'Stores',
        pages: ['sqlite', 'postgres', 'mysql', 'redis', 'many-tokens'].map((name) => `stores/${name}`).concat('writing-a-store'),
      },
      {
        text: 'Tokens',
        pages: ['lifecycle', 'scopes', 'rate-limits', 'notices', 'transactions', 'explain', 'dashboard', 'client', 'testing'],
      },
      { text: 'Other credentials', pages: ['sessions', 'signed-tokens', 'oauth', 'websockets', 'server-sent-events'] },
      { text: 'Events', pages: ['events', 'webhooks', 'sealed-audit', 'leak-reports', 'offboarding'] },
      { text: 'Moving in', pages: ['importing', 'migrating/better-auth', 'migrating/sanctum', 'migrating/own-table', 'moving-stores'] },
      {
        text: 'Operations',
        pages: [
          ['operations/README', 'Overview'],
          ...['pepper', 'backup', 'database-rights', 'environments', 'proxy', 'nodes', 'leaked-token'].map((name) => `operations/${name}`),
          'regions',
          'relay',
        ],
      },
    ],
  },
  {
    kind: 'Reference',
    groups: [
      {
        text: 'Reference',
        pages: [['api/README', 'API by entry'], 'options', 'http-api', 'management-api', 'cli', 'diagnostics', 'token-format', 'support'],
      },
    ],
  },
  {
    kind: 'Explanation',
    groups: [
      {
        text: 'Explanation',
        pages: ['concepts', 'revocation', 'security', 'owasp', 'performance', 'comparison', ['decisions/README', 'Decisions']],
      },
    ],
  },
]

/** The paths in the navigation. */
export const pagesInNavigation = (): readonly string[] =>
  NAVIGATION.flatMap(({ groups }) => groups.flatMap(({ pages }) => pages.map((page) => (typeof page === 'string' ? page : page[0]))))
