"""What is scraped, shown and alerted on, as code: pure documents, and the component over them."""
