// @ts-check
/** Whether this browser has taken or refused the tour; a page that may not store anything forgets. */

const KEY = "fedbench-tour";
let here = false; // for as long as the page lives

export function known() {
  try {
    return here || localStorage.getItem(KEY) !== null;
  } catch {
    return here;
  }
}

export function remember() {
  here = true;
  try {
    localStorage.setItem(KEY, "known");
  } catch {
    // it is offered again after a reload
  }
}
