import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Byte offsets, sizes and errno numbers read better in template strings without String().
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Options come from untyped callers as well; a check the types call needless still protects.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // The functions of an `fs` object are closures over their volume and never use `this`.
      '@typescript-eslint/unbound-method': 'off',
      // Our Stats and StatsFs have the shape of Node's, whose constructors are not for callers.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Flags and modes are bit sets.
      'no-bitwise': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
);
