/** The version of SecantusDB that is fetched. */
export const SECANTUS_VERSION = "0.7.0b3";

/** The Python versions that it has wheels for, `3.x`. */
export const PYTHON_MINORS: readonly number[] = [11, 12, 13];

/**
 * SecantusDB and all that it needs, each with the sha256 of its wheels for Linux (x86-64 and ARM, glibc), macOS (ARM) and Windows, as the index gives
 * them. To take a newer version, ask pip for each platform: `pip install --dry-run --report - --only-binary=:all: --platform … --python-version …`.
 */
const PACKAGES: readonly (readonly [name: string, version: string, sha256: readonly string[]])[] = [
  [
    "dnspython",
    "2.9.2",
    [
      "af15f7d385a6ae2fb35a796fde2138004c8c42c7389090e2addc83e3b3340fd8", // dnspython-2.9.2-py3-none-any.whl
    ],
  ],
  [
    "future",
    "1.0.0",
    [
      "929292d34f5872e70396626ef385ec22355a1fae8ad29e1a734c3e43f9fbc216", // future-1.0.0-py3-none-any.whl
    ],
  ],
  [
    "numpy",
    "2.4.6",
    [
      "4cfe66903cc32a9921a6733d96b19bb6abf310397581bbad89c228f5abaf0ee8", // numpy-2.4.6-cp311-cp311-macosx_14_0_arm64.whl
      "0ab0a9c4ffb1a6d95ef519fe4247dba8eb6b18ad93999f76b7f657039acabd47", // numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl
      "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93", // numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
      "1e254a00cdf42b1e4d5b3d68d33af63268d41340d8885df2ab6470f2e1500147", // numpy-2.4.6-cp311-cp311-win_amd64.whl
      "3213d622a0283a39a93d188f3cf72b26862df52fbb4ca3697f51705016523d41", // numpy-2.4.6-cp312-cp312-macosx_14_0_arm64.whl
      "5f9fb9157b4ce2971008323afe46053787b526ef624fea915b261468a8421a0f", // numpy-2.4.6-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl
      "90f9849678c75fe7afa2d348ac842c168b0a4d3d61919687216dfc547976d853", // numpy-2.4.6-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
      "d8e8286dd7cea7895157318d1b91cdacac64c479f3cbc8dce548331728484751", // numpy-2.4.6-cp312-cp312-win_amd64.whl
      "043191bfa8eab18c776647b62723ac9dddece59743b13f49b2016094129c2b3f", // numpy-2.4.6-cp313-cp313-macosx_14_0_arm64.whl
      "72fbe16c6fac95aedf5937fa873445cec2110be35d8a4e9433d7501fd98dae6b", // numpy-2.4.6-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl
      "a7830bab239b79cda9c08c2da014761cafb48da6150e1da17ac06283f43b6089", // numpy-2.4.6-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
      "c4fc99836233ea196540b17ab0983aff60ed07941751930f5f4d05bc3b3b7359", // numpy-2.4.6-cp313-cp313-win_amd64.whl
    ],
  ],
  [
    "pymongo",
    "4.20.1",
    [
      "3de4fb30f6fbd229dd462e52b88a8e54093693e638a6839cf652030036427ff1", // pymongo-4.20.1-cp311-cp311-macosx_11_0_arm64.whl
      "1604e894ed2112f16fa28b99b444b4f9dce9729f0fca1e3274eda70a4850ab4d", // pymongo-4.20.1-cp311-cp311-manylinux2014_aarch64.whl
      "41464411366fabc8db70212f1a10cd7b5953eae6ee6a6500d9522f37f1a04311", // pymongo-4.20.1-cp311-cp311-manylinux2014_x86_64.whl
      "1f830284b630fb14bff23ab0efb493d3fdf38e67cfdb6061f7db1219add86675", // pymongo-4.20.1-cp311-cp311-win_amd64.whl
      "34c1e70625f0f395c9e142765f88775a9c44231127feae18f11e7a71b911ffdd", // pymongo-4.20.1-cp312-cp312-macosx_11_0_arm64.whl
      "1cc7fc08516e9394266249463794a50f995ec7eb8fbafe8901f02992cf258c0a", // pymongo-4.20.1-cp312-cp312-manylinux2014_aarch64.whl
      "f45ce6b54e23d0b2c9f85e4c0f19b6693a0a07ceb4cc935eaf73dfc421dcaafc", // pymongo-4.20.1-cp312-cp312-manylinux2014_x86_64.whl
      "a7d9d21aa608c00879004addc2706c7b2281f512635a43fdaa21d6c93ebf113f", // pymongo-4.20.1-cp312-cp312-win_amd64.whl
      "bba413b335a6229784180ac1d358a3c379859ffe343b422b922b5d65ff6f8c74", // pymongo-4.20.1-cp313-cp313-macosx_11_0_arm64.whl
      "4a4a50d7f4803cf6809713b5dfb849ef14a2b270a7c44c9d2ff6763b50c8128a", // pymongo-4.20.1-cp313-cp313-manylinux2014_aarch64.whl
      "03614740a404a6036290793fc9134758a514f86c02baeeab4c39564fe0b9f36b", // pymongo-4.20.1-cp313-cp313-manylinux2014_x86_64.whl
      "2d21eeecc03dce996be181661956ada13027c97aa6356be33dd45f1c78cc90a9", // pymongo-4.20.1-cp313-cp313-win_amd64.whl
    ],
  ],
  [
    "python-dateutil",
    "4.0.0",
    [
      "a5e246f79eb80475e691bf93862cead98decd8a498cf53ba0516fcdc0f50dc1c", // python_dateutil-4.0.0-py3-none-any.whl
    ],
  ],
  [
    "s2sphere",
    "0.2.5",
    [
      "d2340c9cf458ddc9a89afd1d8048a4195ce6fa6b0095ab900d4be5271e537401", // s2sphere-0.2.5-py2.py3-none-any.whl
    ],
  ],
  [
    "secantusdb",
    "0.7.0b3",
    [
      "5f94cd7d78d9bda488867429e7f08f2fb95b3a9dae75f14518dcc7c1815e0d3e", // secantusdb-0.7.0b3-cp311-cp311-macosx_11_0_arm64.whl
      "ba26333efc24f3b6c621ffa0b463a15e0d5f75ed34b33f6eeede8a3f9af2a64e", // secantusdb-0.7.0b3-cp311-cp311-manylinux2014_aarch64.whl
      "0a21af2f488d5263c45beb328e68cea989217edf6a385fc491c24ea62ac3cec0", // secantusdb-0.7.0b3-cp311-cp311-manylinux2014_x86_64.whl
      "f11456e77f35c2b263d49a683835ff95ab182bc1970488ac58e758472ae4d197", // secantusdb-0.7.0b3-cp311-cp311-win_amd64.whl
      "5f2b2415bed673caf9e1ca9387e24722358e636b7e5a4f3dd3fdd4de05f94d8e", // secantusdb-0.7.0b3-cp312-cp312-macosx_11_0_arm64.whl
      "9378836e42d2dd6cf7b750d0af01b2119eb0f0c1be0e5b3541450c2c0f0e4aed", // secantusdb-0.7.0b3-cp312-cp312-manylinux2014_aarch64.whl
      "6240de589ec53a4de0701d026e9131097464ac5a1eaa47eb0001c5fcb76a9150", // secantusdb-0.7.0b3-cp312-cp312-manylinux2014_x86_64.whl
      "844e4b012a33d5cf64f8b454262c9e60f436cb1cac2491e3c36a1fe522df0476", // secantusdb-0.7.0b3-cp312-cp312-win_amd64.whl
      "51a2dccec2d60d292dfa656b14e921ac300c7de2568fe1c9e7d3bd2f96bf202a", // secantusdb-0.7.0b3-cp313-cp313-macosx_11_0_arm64.whl
      "edbfc1a9652ff25c23eeafc6091044114578bbf5915fd7b0f5d6db8469453693", // secantusdb-0.7.0b3-cp313-cp313-manylinux2014_aarch64.whl
      "17e39ed4b962be8f79d7554e06b9d5f02f8fb4f27cde7ed454f9024f645d00c1", // secantusdb-0.7.0b3-cp313-cp313-manylinux2014_x86_64.whl
      "0f063776cbe738eb068c9a717d8d2b8320894655c93ab3114b30f986b55f4b2e", // secantusdb-0.7.0b3-cp313-cp313-win_amd64.whl
    ],
  ],
  [
    "shapely",
    "2.2.0",
    [
      "7c0b262116bb75b86751440b42e19673911bc0a8f0d5ce723ce294c3d6e4d5c0", // shapely-2.2.0-cp311-cp311-macosx_11_0_arm64.whl
      "7765e0e5d51d63eae0a911861cbda87165a01677bc9bce6ed20d06858ccde99f", // shapely-2.2.0-cp311-cp311-manylinux_2_24_aarch64.manylinux_2_28_aarch64.whl
      "5d61088e2ef71dafad0dd4fae8a521cc1f20da4a89d3096bab5b3260b39b3052", // shapely-2.2.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl
      "806d399418b23eee7241736d572ad1e0b784782f9241d7c8e2cfceb00787831d", // shapely-2.2.0-cp311-cp311-win_amd64.whl
      "c36ccbff5c3374c349c370bfdac22c7676b268b4a707c98e9031f498965aa02d", // shapely-2.2.0-cp312-cp312-macosx_11_0_arm64.whl
      "a9a380624cdd7a7e661bf15a4d1625082766f07ccd2540cb0a9e0df1ad4f6c11", // shapely-2.2.0-cp312-cp312-manylinux_2_24_aarch64.manylinux_2_28_aarch64.whl
      "650a5f4d8a8e3c96982079d8c99b6ddbe6602bbd1e34c75c2b95dbc0d28ac997", // shapely-2.2.0-cp312-cp312-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl
      "90895df6542ae039fc6557dec6194e3509e883fbd6f5788e3c3e7a38fe46b257", // shapely-2.2.0-cp312-cp312-win_amd64.whl
      "d75957716368f919c63016dae1977a0d007e15f06861cd178701edb91b08d2b0", // shapely-2.2.0-cp313-cp313-macosx_11_0_arm64.whl
      "4ed79beb8d4b6cc7c67780fd381feed25848a5f9b8a2385ac5711eccd115647a", // shapely-2.2.0-cp313-cp313-manylinux_2_24_aarch64.manylinux_2_28_aarch64.whl
      "f340e7f99aaee3df5acd6b247cddf723051a7c93d1e1ef09025b80d84e4c0ded", // shapely-2.2.0-cp313-cp313-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl
      "1eaa2cb64cdedaf65d6bc86f2819c9cd7d6d68f969aa3ebfdc93743ab581f437", // shapely-2.2.0-cp313-cp313-win_amd64.whl
    ],
  ],
  [
    "tzdata",
    "2026.6",
    [
      "0a10eec6e13ef16b627fabed9a5f2ba61a62b1c67f327305f4e7e412a70b4aec", // tzdata-2026.6-py2.py3-none-any.whl
    ],
  ],
];

/** The same as a requirements file for `pip install --require-hashes`. */
export function requirements(): string {
  return PACKAGES.map(([name, version, hashes]) => `${name}==${version} ${hashes.map((hash) => `--hash=sha256:${hash}`).join(" ")}\n`).join(
    "",
  );
}
