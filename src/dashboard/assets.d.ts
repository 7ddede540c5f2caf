// Types of assets.js, which `npm run page` makes from the folder page/ and which is not in git.

/** The page's script. */
export const script: string

/** The page's style. */
export const style: string
