/** Opens the map named by the first argument, holds it for a while, and says how it went. */
import { openMap } from 'aetherflow';

try {
  const map = openMap(process.argv[2]);
  console.log('won');
  await new Promise((resolve) => {
    setTimeout(resolve, 3000);
  });
  map.close();
} catch (error) {
  console.log(error.code);
}
