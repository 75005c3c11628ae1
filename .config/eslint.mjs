// What the type checker cannot say: floating promises, sizes, banned calls. Run by `npm run check`.
import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';

/** `rule` whose messages say behind the complaint what to do about it. */
function advised(rule, advice) {
  const messages = Object.entries(rule.meta.messages).map(([id, text]) => {
    return [id, `${text.replace(/\.?$/u, '.')} ${advice}`];
  });
  return { ...rule, meta: { ...rule.meta, messages: Object.fromEntries(messages) } };
}

const house = {
  rules: {
    'max-lines': advised(
      builtinRules.get('max-lines'),
      'Split the file where it owns a second concept.',
    ),
    'max-lines-per-function': advised(
      builtinRules.get('max-lines-per-function'),
      'Give its second job a function of its own.',
    ),
    'max-len': advised(builtinRules.get('max-len'), 'Run `npm run format`, or break the comment.'),
    'no-console': advised(
      builtinRules.get('no-console'),
      'Take a logger through the constructor, or return the error to who handles it.',
    ),
    'no-explicit-any': advised(
      tseslint.plugin.rules['no-explicit-any'],
      'Take `unknown` and narrow it.',
    ),
    'no-non-null-assertion': advised(
      tseslint.plugin.rules['no-non-null-assertion'],
      'Narrow it, or throw HF_BUG where it cannot be undefined.',
    ),
    'only-throw-error': advised(
      tseslint.plugin.rules['only-throw-error'],
      'Throw a GatewayError with a code of base/errors/codes.ts.',
    ),
    'switch-exhaustiveness-check': advised(
      tseslint.plugin.rules['switch-exhaustiveness-check'],
      'Add the case, and let no default hide the next one.',
    ),
  },
};

/** Words that say nothing, as a part of a name in camel case. */
const drawerName = ['Manager', 'Helper', 'Util', 'Misc', 'Stuff']
  .flatMap((word) => [`(^|[a-z0-9])${word}s?([A-Z]|$)`, `^${word.toLowerCase()}s?([A-Z]|$)`])
  .join('|');

export default tseslint.config(
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    extends: [tseslint.configs.strict],
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { house },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        // tap runs its tests in order by itself.
        { allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: ['test'] }] },
      ],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-misused-promises': 'error',
      'house/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/only-throw-error': 'off',
      'house/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/no-explicit-any': 'off',
      'house/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'house/no-non-null-assertion': 'error',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      'house/no-console': 'error',
      'house/max-lines': ['error', { max: 500 }],
      'house/max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'house/max-len': [
        'error',
        {
          code: 100,
          ignoreUrls: true,
          ignoreStrings: true,
          ignoreTemplateLiterals: true,
          ignoreRegExpLiterals: true,
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ExportAllDeclaration',
          message: 'No barrels: import each name from the file that owns it.',
        },
        {
          selector: 'ExportDefaultDeclaration',
          message: 'Named exports only, so that one name is used everywhere.',
        },
        {
          selector:
            ':matches(Program, Program > ExportNamedDeclaration) > ' +
            ':matches(VariableDeclaration[kind="let"], VariableDeclaration[kind="var"], ' +
            // What begins empty is there to be filled.
            'VariableDeclaration:has(> VariableDeclarator > ' +
            'NewExpression.init[callee.name=/^(Weak)?(Map|Set)$/][arguments.length=0]))',
          message: 'No module-level mutable state: make it a field of an object that is passed in.',
        },
        {
          selector:
            ':matches(ClassDeclaration, FunctionDeclaration, TSInterfaceDeclaration, ' +
            `TSTypeAliasDeclaration, VariableDeclarator) > Identifier.id[name=/${drawerName}/]`,
          message: 'A name that says nothing: name the one thing that it is or does.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'src/fronts/cli/**/*.ts', 'src/main.ts'],
    rules: { 'house/no-console': 'off' },
  },
  {
    // A test is one long story; its length is no sign of two jobs.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'house/max-lines-per-function': 'off' },
  },
);
