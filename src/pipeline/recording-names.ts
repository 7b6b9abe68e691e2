/** What a folder's files are taken for; a recording that somebody names may have any name. */
const RECORDING =
  /\.(wav|wave|w64|rf64|mp3|mp2|m4a|mp4|m4v|mov|3gp|aac|ogg|oga|opus|flac|amr|awb|gsm|wma|asf|webm|mka|mkv|aif|aiff|au|snd|caf|g722|vox|ul|al|raw|pcm)$/i;

/** Ending of the file of metadata beside a recording. */
export const META_ENDING = ".meta.json";

/** Whether a file of this name in a folder is taken for a recording. */
export function isRecordingName(name: string): boolean {
  return RECORDING.test(name);
}

/** Whether `file` is the recording whose metadata is in `metaName`: `call.wav` that of `call.meta.json`; `call.agent.wav` may be a leg of it. */
export function isRecordingOf(file: string, metaName: string): boolean {
  const stem = metaName.slice(0, -META_ENDING.length);
  return file.startsWith(stem) && file.slice(stem.length).lastIndexOf(".") === 0 && isRecordingName(file);
}
