// What says that a picture is being looked for, until its results are there.

const looking = document.getElementById("looking");

/** Say that something is looked for, with the picture itself where it is there already. */
export function showLooking(name, file) {
  const picture = document.getElementById("looking-picture");
  picture.hidden = true;
  picture.onload = () => { picture.hidden = false; };
  if (file) picture.src = URL.createObjectURL(file);
  else picture.removeAttribute("src");
  document.getElementById("looking-name").textContent = name;
  looking.hidden = false;
}

// Coming back by the back button shows the page as it was left, which was under "Looking…".
window.addEventListener("pageshow", () => {
  if (!looking) return;
  looking.hidden = true;
  const form = document.getElementById("picture-search");
  form.reset();
  if (form.elements.url) form.elements.url.value = ""; // What a script has put into a hidden field is not reset.
});
