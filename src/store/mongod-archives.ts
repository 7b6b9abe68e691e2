/** The version of MongoDB's Community build that is fetched: the 8.0 line is kept up until 2029; for macOS the newest whose hash is known. */
export const MONGOD_VERSION = { linux: "8.0.17", darwin: "8.2.6" } as const;

/**
 * sha256 of the archives, by name. What is not in this list is not taken. Those for Linux stand alike in two projects that install from the same archives,
 * those for macOS in Nixpkgs (`mongodb-ce`); MongoDB publishes them beside each archive, with `.sha256` at the end of its name.
 */
export const MONGOD_ARCHIVES: Readonly<Record<string, string>> = {
  "mongodb-linux-x86_64-ubuntu2004-8.0.17.tgz": "b90f31da88ba94ad20b7a18801a6abd85b7f31bf42677e11b53ec5f82cd5dedf",
  "mongodb-linux-aarch64-ubuntu2004-8.0.17.tgz": "6f8de47d323c93a2a3d800f9ba529321d7c24dce8e6f344b933c89b9d744dd3c",
  "mongodb-linux-x86_64-ubuntu2204-8.0.17.tgz": "4372a8e503a61814c565d4ccbc5f6765787944772e8969c13ba96c99cca11f75",
  "mongodb-linux-aarch64-ubuntu2204-8.0.17.tgz": "2709ec6acd3de02666d02318d436f5d68dfb7d20b025d24a12a0914aacff4bd3",
  "mongodb-linux-x86_64-ubuntu2404-8.0.17.tgz": "fe7bccea2ac1eed16867e9ae5a60481455ee30796f285fe67d0d02a6c2abbdda",
  "mongodb-linux-aarch64-ubuntu2404-8.0.17.tgz": "8dc5919025dbabe2103b8e187e2102492af93c08842c37114272bd894e5cfc13",
  "mongodb-linux-x86_64-debian12-8.0.17.tgz": "b774ed64ec13732d25cd8c937bcd221ceadd0c746371f2279aa63aa492c1d0d0",
  "mongodb-linux-x86_64-rhel8-8.0.17.tgz": "c8986f6fc001d456bd2160c2e96d24201599627eb5832f49d95673779a2768cf",
  "mongodb-linux-aarch64-rhel8-8.0.17.tgz": "f7118b78fe5f60724109bf3548d46d4c898f9ec14a7bb4821d43a080a8a98572",
  "mongodb-linux-x86_64-rhel93-8.0.17.tgz": "9bcb2b0ae5d114a752e3fa9105a50020a104b6c5eaf69d7c248cae43b812196e",
  "mongodb-linux-aarch64-rhel93-8.0.17.tgz": "7192d831f58cc5eece0e3d24921dc4612c99b506ee432c703c8ba687f6322894",
  "mongodb-macos-x86_64-8.2.6.tgz": "39b6ba80ad21ad1ca8dbd989d7fe81a60aa5f41475eb42d4247fe40740062f3d",
  "mongodb-macos-arm64-8.2.6.tgz": "ef8301d05cdb4686775aee1ddce391b5f1cd67cdc61179c2d21dab246a2c4f1b",
};
