(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const rows = [...document.querySelectorAll("#reports-table tbody tr")];
  const texts = rows.map(row => `${row.textContent} ${row.dataset.folder}`.toLowerCase());
  const chosen = ["verdict", "kind", "model"];
  const look = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    rows.forEach((row, i) => {
      const fits = words.every(word => texts[i].includes(word))
        && chosen.every(name => !form.elements[name].value || row.dataset[name] === form.elements[name].value);
      row.hidden = !fits;
      found += fits;
    });
    document.getElementById("found").textContent =
      found === rows.length ? "" : `${found.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };
  form.addEventListener("input", look);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(look));
  form.hidden = false;
  look();  // a page that is come back to keeps what was typed
})();
