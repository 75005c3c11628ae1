// `npm start`: set-up, then the gateway in the foreground. Options after `--` go to `holdfast serve`.
import { launch } from '../../src/fronts/cli/launch.mjs';
import { install, pinnedNode } from './install.mjs';

install();
launch(pinnedNode, ['serve', ...process.argv.slice(2)]);
