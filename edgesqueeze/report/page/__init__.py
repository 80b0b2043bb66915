"""What was made and found, as one page of HTML that needs nothing but itself."""
